package cluster

import "testing"

func TestParseMemory_BothVersionsOfCgroups(t *testing.T) {
	for _, row := range []struct {
		sentence, files string
		want            Memory
	}{
		{"version 2 counts the cgroups below too", "3000\nanon 1000\ninactive_file 800\nactive_file 100\n", Memory{3000, 2200}},
		{"version 1 has a total that counts them", "3000\ncache 1\ninactive_file 10\ntotal_cache 5\ntotal_inactive_file 700\n", Memory{3000, 2300}},
		{"a cache that shrank between two reads does not make the result negative", "500\ninactive_file 800\n", Memory{500, 0}},
	} {
		if got, err := parseMemory(row.files); err != nil || got != row.want {
			t.Errorf("%s: %+v, %v; want %+v", row.sentence, got, err, row.want)
		}
	}
	for _, files := range []string{"", "max\n", "3000\ninactive_file many\n"} {
		if got, err := parseMemory(files); err == nil {
			t.Errorf("%q was read as %+v", files, got)
		}
	}
}
