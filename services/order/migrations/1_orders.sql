-- +goose Up
CREATE TABLE orders (
    number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id        text NOT NULL UNIQUE,
    user_id         text NOT NULL,
    user_name       text NOT NULL,
    lines           jsonb NOT NULL,
    total_cents     bigint NOT NULL DEFAULT 0,
    state           text NOT NULL CHECK (state IN ('pending', 'reserved', 'charged', 'confirmed', 'cancelling', 'cancelled')),
    idempotency_key text,
    request_digest  bytea NOT NULL,
    -- Why it was cancelled, as the caller sees it, and whether the caller may retry.
    code            int NOT NULL DEFAULT 0,
    reason          text NOT NULL DEFAULT '',
    message         text NOT NULL DEFAULT '',
    again           boolean NOT NULL DEFAULT false,
    -- Which worker has it, and until when no other may take it.
    owner           text NOT NULL,
    lease           timestamptz NOT NULL,
    created         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_unfinished ON orders (lease) WHERE state NOT IN ('confirmed', 'cancelled');
CREATE INDEX orders_key ON orders (idempotency_key, number) WHERE idempotency_key IS NOT NULL;
CREATE INDEX orders_user ON orders (user_id, number);
