-- +goose Up
-- The balance of deleted payments, in one row.
CREATE TABLE forgotten (
    single        boolean PRIMARY KEY DEFAULT true CHECK (single),
    payments      bigint NOT NULL DEFAULT 0,
    charged       bigint NOT NULL DEFAULT 0,
    charged_cents bigint NOT NULL DEFAULT 0
);
INSERT INTO forgotten DEFAULT VALUES;
