-- +goose Up
-- A room counts its own messages: its row stays locked until the message is committed, so ids have no gaps and become visible in order.
CREATE TABLE rooms (
    room    text PRIMARY KEY,
    last_id bigint NOT NULL
);
CREATE TABLE messages (
    room    text NOT NULL,
    id      bigint NOT NULL,
    user_id text NOT NULL,
    text    text NOT NULL,
    key     text,
    said    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (room, id)
);
CREATE UNIQUE INDEX messages_key ON messages (room, user_id, key);
