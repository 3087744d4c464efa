// Package templates embeds the texts that people read: mail/ holds the letters
// the house writes (one file a letter, see list/notify), web/ the pages and
// their static files (see edge/web). It is data; whoever uses a folder parses it.
package templates

import "embed"

// FS holds the folders mail and web.
//
//go:embed mail web
var FS embed.FS
