-- +goose Up
-- The balance of deleted reservations, in one row.
CREATE TABLE forgotten (
    single       boolean PRIMARY KEY DEFAULT true CHECK (single),
    reservations bigint NOT NULL DEFAULT 0,
    sold         bigint NOT NULL DEFAULT 0,
    sold_cents   bigint NOT NULL DEFAULT 0
);
INSERT INTO forgotten DEFAULT VALUES;
-- How many pieces of each SKU they sold. This is not a column of stock, whose rows are locked by orders.
CREATE TABLE forgotten_lines (
    sku  text PRIMARY KEY,
    sold bigint NOT NULL
);
