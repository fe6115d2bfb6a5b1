package images

// MissingError says that building an image needs a program that is not installed.
type MissingError struct{ Program string }

func (e *MissingError) Error() string {
	remedy := "sandbox up --setup"
	if e.Program == "go" { // what distributions package is mostly too old to fetch a newer one
		remedy = "install Go from https://go.dev/dl"
	}
	return "building it needs " + e.Program + ", which is not in PATH\ntry: " + remedy
}
