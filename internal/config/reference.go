package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Sample renders a configuration file that holds every key with its default
// and its documentation, commented out where the default is meant.
func Sample() string {
	var b strings.Builder
	b.WriteString("# Every key of Plenary with its default. PLENARY_<SECTION>_<KEY> in the environment overrides the file.\n")
	section := ""
	for _, k := range Keys() {
		head, name, found := strings.Cut(k.Name, ".")
		if !found {
			head, name = "", k.Name
		}
		if head != section {
			section = head
			fmt.Fprintf(&b, "\n[%s]\n", section)
		}
		fmt.Fprintf(&b, "\n# %s\n# (%s)\n%s = %s\n", k.Doc, k.Env, name, literal(k))
	}
	return b.String()
}

func literal(k Key) string {
	if k.Type == "number" {
		return k.Default
	}
	return strconv.Quote(k.Default)
}

// Handbook renders docs/config.md.
func Handbook() string {
	var b strings.Builder
	b.WriteString("# Configuration reference\n\nGenerated from the program (`plenary config --markdown`). A file in TOML form is named by\n" +
		"`--config FILE` or `PLENARY_CONFIG`; each key can be set by its environment variable instead.\n\n" +
		"| key | environment | default | meaning |\n|---|---|---|---|\n")
	for _, k := range Keys() {
		def := "`" + k.Default + "`"
		if k.Default == "" {
			def = "empty"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", k.Name, k.Env, def, k.Doc)
	}
	return b.String()
}
