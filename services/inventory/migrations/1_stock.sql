-- +goose Up
CREATE TABLE stock (
    sku         text PRIMARY KEY,
    price_cents bigint NOT NULL,
    available   bigint NOT NULL CHECK (available >= 0),
    reserved    bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold        bigint NOT NULL DEFAULT 0
);
-- Plenty of every SKU except the last one, which can sell out.
INSERT INTO stock (sku, price_cents, available) SELECT 'sku-' || n, n * 100, CASE n WHEN 100 THEN 100 ELSE 10000000 END FROM generate_series(1, 100) AS n;

-- A released row may have no lines: it blocks a reservation that arrives later.
CREATE TABLE reservations (
    order_id    text PRIMARY KEY,
    state       text NOT NULL CHECK (state IN ('reserved', 'committed', 'released')),
    total_cents bigint NOT NULL DEFAULT 0
);
CREATE TABLE reservation_lines (
    order_id text NOT NULL REFERENCES reservations,
    sku      text NOT NULL REFERENCES stock,
    quantity bigint NOT NULL,
    PRIMARY KEY (order_id, sku)
);
