package main

import (
	"strings"
	"time"
)

func errorSays(err error, part string) bool { return err != nil && strings.Contains(err.Error(), part) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
