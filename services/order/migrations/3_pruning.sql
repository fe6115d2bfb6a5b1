-- +goose Up
-- Until when no other replica prunes the order; null while it is not being pruned.
ALTER TABLE orders ADD COLUMN pruning timestamptz;
-- The lease of a finished order ended when it was finished.
CREATE INDEX orders_finished ON orders (lease) WHERE state IN ('confirmed', 'cancelled');
-- The balance of deleted orders, in one row.
CREATE TABLE pruned (
    single          boolean PRIMARY KEY DEFAULT true CHECK (single),
    confirmed       bigint NOT NULL DEFAULT 0,
    confirmed_cents bigint NOT NULL DEFAULT 0,
    cancelled       bigint NOT NULL DEFAULT 0
);
INSERT INTO pruned DEFAULT VALUES;
