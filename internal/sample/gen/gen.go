// Package gen builds the sample archives from readable text.
//
// The folder source holds what people wrote: people.txt (who they are and
// which mail client they use), one text file per group of threads, and the
// files they attach. This package adds what a mail client would add: header
// fields, quoting, wrapping, charsets, encodings, MIME parts, and joins the
// messages to an mbox file (mboxrd quoting, LF line ends) in order of
// arrival.
//
// Everything that looks random (ids, boundaries, seconds) comes from a hash
// of the message's key, so the same text always gives the same bytes. Nothing
// here runs in the server; the test of package sample runs it and compares.
//
// A message in a source file:
//
//	=== weed-2 priya 2025-01-14 12:40
//	re: weed-1
//	charset: iso-8859-1
//
//	One line here is one paragraph or line of the mail.
//	[[quote The words a paragraph of the parent begins with]]
//
// The first line gives key, person and local wall-clock time. The fields that
// may follow are listed at type Message. In the text, [[said]] gives the
// client's "on that day she wrote" line, [[quote words]] quotes one block of
// the parent, [[all]] both for the whole parent, [[original]] the header block
// and text that office clients put below an answer. A line @html begins a
// hand-written HTML form of the text.
package gen

import (
	"fmt"
	"io/fs"
	"sort"
)

// Result is one built archive.
type Result struct {
	Mbox     []byte     // the whole mbox file
	Messages []*Message // in the order of the file
}

// Build reads people.txt and the *.txt files of folder from src and builds the
// archive of the list. The error names the message at fault.
func Build(src fs.FS, folder string, list List) (*Result, error) {
	people, err := readPeople(src)
	if err != nil {
		return nil, err
	}
	msgs, err := readThreads(src, folder, people)
	if err != nil {
		return nil, err
	}
	sort.SliceStable(msgs, func(i, j int) bool { return msgs[i].Arrived.Before(msgs[j].Arrived) })
	b := &builder{src: src, list: list, byKey: map[string]*Message{}}
	for _, m := range msgs {
		if b.byKey[m.Key] != nil {
			return nil, fmt.Errorf("message %s: key used twice", m.Key)
		}
		if err := b.build(m); err != nil {
			return nil, fmt.Errorf("message %s: %w", m.Key, err)
		}
		b.byKey[m.Key] = m
	}
	return &Result{Mbox: mbox(msgs), Messages: msgs}, nil
}

// List names the list the archive belongs to.
type List struct {
	Address string // talk@lists.example.org
	Name    string // the display name some clients put before the address
}

// builder holds what the messages built so far mean for the next one.
type builder struct {
	src   fs.FS
	list  List
	byKey map[string]*Message
}

// build makes the bytes of m. Its parent, when it has one in the archive,
// must have arrived before it.
func (b *builder) build(m *Message) error {
	if err := b.place(m); err != nil {
		return err
	}
	if err := b.write(m); err != nil {
		return err
	}
	body, err := b.content(m)
	if err != nil {
		return err
	}
	fields, err := b.fields(m)
	if err != nil {
		return err
	}
	m.Raw = assemble(m, fields, body)
	return nil
}
