// Package migrations carries the schema as versioned SQL, one folder a dialect
// and the same version numbers in both. A file that has landed is never edited;
// the next change is the next file. The store applies them.
package migrations

import "embed"

// FS holds sqlite/*.sql and postgres/*.sql.
//
//go:embed sqlite/*.sql postgres/*.sql
var FS embed.FS
