-- +goose Up
-- A partner lists the orders that it has made.
CREATE INDEX orders_caller ON orders (caller, number);
