package rest

import (
	"fmt"
	"strings"
	"testing"
)

func TestRoutes_NameTheirMethods(t *testing.T) {
	all, err := Routes()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, r := range all {
		fmt.Fprintln(&got, r.Verb, r.Path, r.Method)
	}
	const want = `GET /v1/orders order.v1.OrderService/ListOrders
POST /v1/orders order.v1.OrderService/CreateOrder
GET /v1/orders/{orderId} order.v1.OrderService/GetOrder
POST /v1/users user.v1.UserService/CreateUser
GET /v1/users/{userId} user.v1.UserService/GetUser
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}
