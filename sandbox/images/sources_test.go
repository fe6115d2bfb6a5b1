package images

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRecipes_SourcesExist(t *testing.T) {
	for _, i := range All() {
		for _, s := range i.Recipe.Sources() {
			if _, err := os.Stat(filepath.Join("../..", s)); err != nil {
				t.Errorf("%s: %v", i.Ref, err)
			}
		}
	}
}

func TestRecipes_SourcesIncludeTheRecipesCode(t *testing.T) {
	for _, i := range All() {
		found := map[string]bool{}
		for _, s := range i.Recipe.Sources() {
			found[s] = true
		}
		if !found["sandbox/images/layer.go"] {
			t.Errorf("%s would not be built again when the code that writes layers changes", i.Ref)
		}
	}
}
