-- +goose Up
-- Messages up to this id are no longer kept. It is stored, and not read from messages, so that a reader who missed them gets an error.
ALTER TABLE rooms ADD COLUMN pruned bigint NOT NULL DEFAULT 0;
