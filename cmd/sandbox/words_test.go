package main

import "strings"

func errorSays(err error, part string) bool { return err != nil && strings.Contains(err.Error(), part) }
