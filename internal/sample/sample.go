// Package sample carries two small mail archives, so that a fresh
// installation and a test have something true to life to show.
//
// The discussion list holds some 200 messages in threads about school-library
// work over almost two years, in nine languages, with what real archives
// hold: answers above and below the quote, clients that break References,
// parents that are missing, ten charsets, HTML, images, attachments, a
// forwarded message, signed messages. The announcement list holds its dates
// and circulars. All people, schools and addresses are made up.
//
// The mbox files are built from the readable text in the folder source by
// package gen; the test of this package holds the two against each other and
// writes the files anew with -update. Only the mbox files become part of the
// program.
package sample

import (
	_ "embed"
)

// The lists, and the subscribers of theirs that suit the roles of a demonstration.
const (
	TalkAddress = "talk@lists.example.org"    // the discussion list
	TalkName    = "School library colleagues" // its display name
	NewsAddress = "news@lists.example.org"    // the announcement list
	NewsName    = "School library news"       // its display name

	OwnerAddress      = "hanna@quillbrook.example"         // Hanna Bergqvist-Ohm, owner of both lists
	ModeratorAddress  = "t.ferrant@northmoor.example"      // Tobias Ferrant, moderator
	SubscriberAddress = "priya.n@larkfield-school.example" // Priya Nallathambi, posts freely
)

//go:embed archive.mbox
var talk string

//go:embed announce.mbox
var announce string

// Talk gives the archive of the discussion list as an mbox file: mboxrd
// quoting, LF line ends, in order of arrival. Each call gives its own copy.
func Talk() []byte { return []byte(talk) }

// Announce gives the archive of the announcement list, in the same form.
func Announce() []byte { return []byte(announce) }
