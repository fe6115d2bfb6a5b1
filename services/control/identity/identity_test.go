package identity

import "testing"

func TestParse_NamespaceAndAccount(t *testing.T) {
	for id, want := range map[string][2]string{
		"spiffe://sandbox.local/ns/shop/sa/userservice":   {"shop", "userservice"},
		"spiffe://other.example/ns/a/sa/b":                {"a", "b"},
		"spiffe://sandbox.local/ns/shop/sa/userservice/x": {},
		"spiffe://sandbox.local/sa/shop/ns/userservice":   {},
		"spiffe://sandbox.local/ns/shop":                  {},
		"userservice.shop.svc":                            {},
		"":                                                {},
	} {
		namespace, account, ok := Parse(id)
		if namespace != want[0] || account != want[1] || ok != (want[0] != "") {
			t.Errorf("%q: %q, %q, %v", id, namespace, account, ok)
		}
	}
}
