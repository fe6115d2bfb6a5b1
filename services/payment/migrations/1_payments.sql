-- +goose Up
-- A refunded row may have no amount: it blocks a charge that arrives later.
CREATE TABLE payments (
    order_id     text PRIMARY KEY,
    user_id      text NOT NULL,
    amount_cents bigint NOT NULL,
    state        text NOT NULL CHECK (state IN ('charged', 'refunded'))
);
