module sandbox.dev/recipes/pause

go 1.26.0
