package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
)

// noteBaseURL is where a serving node says under which address readers reach it.
const noteBaseURL = "serve/base-url"

// noteHealth is what a health check writes.
const noteHealth = "serve/health"

// noteDemo marks a database that the demo made for itself.
const noteDemo = "serve/demo"

// roomForMail is how much must find room after something did not.
const roomForMail = 1 << 20

// CheckWrite stores something small, to find out whether it can. A full disk often
// has room for that in pages the database has already: once something found no room,
// as much as a post must, before all is well again.
func (s *Store) CheckWrite(ctx context.Context) error {
	full := s.full.Load()
	err := s.write(ctx, func(t *tx) error {
		if full {
			text := make([]byte, roomForMail/2)
			if _, err := rand.Read(text); err != nil { // nothing that could be packed
				return err
			}
			if err := t.putNote(noteHealth, hex.EncodeToString(text)); err != nil {
				return err
			}
		}
		return t.putNote(noteHealth, "")
	})
	if full && err == nil {
		s.full.Store(false)
	}
	return err
}

// SaveBaseURL remembers the base URL of the service, for verbs of the command
// line that are not told one.
func (s *Store) SaveBaseURL(ctx context.Context, url string) error {
	return s.write(ctx, func(t *tx) error { return t.putNote(noteBaseURL, url) })
}

// FindBaseURL gives the base URL a service said last; found is false when none
// has served on this database yet.
func (s *Store) FindBaseURL(ctx context.Context) (url string, found bool, err error) {
	return s.findNote(ctx, noteBaseURL)
}

// MarkDemo says that the demo made this database.
func (s *Store) MarkDemo(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error { return t.putNote(noteDemo, "") })
}

// IsDemo reports whether the demo made this database.
func (s *Store) IsDemo(ctx context.Context) (bool, error) {
	_, found, err := s.findNote(ctx, noteDemo)
	return found, err
}

func (s *Store) findNote(ctx context.Context, name string) (text string, found bool, err error) {
	var texts []string
	err = s.read(ctx).Raw("SELECT text FROM queue_notes WHERE name = ?", name).Scan(&texts).Error
	if len(texts) == 0 {
		return "", false, s.fault(err)
	}
	return texts[0], true, s.fault(err)
}
