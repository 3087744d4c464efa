package store

import (
	"context"
	"time"

	"plenary/internal/model"
)

const (
	// noteAtWork says when a node was last at work with the queue; with a slash and its
	// name, when that one was.
	noteAtWork = "at-work"
	// nodeGone is how long after its last word a node's trouble is not told any more:
	// it said every few minutes that it was at work.
	nodeGone = 30 * time.Minute
	// restMost is how long a queue rests for a restart, an upgrade or a repair: as long
	// as the longest wait between two tries. A database in which nobody was at work for
	// longer may be an old copy.
	restMost = 4 * time.Hour
	// wrongClock: a note that lies so far ahead says nothing.
	wrongClock = 24 * time.Hour
)

// NoteAtWork says that a node is at work with the queue; nodes call it every few
// minutes. TidyQueue says that some node is.
func (s *Store) NoteAtWork(ctx context.Context, node string) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.putNote(noteAtWork+"/"+node, ""); err != nil {
			return err
		}
		return t.noteAtWork()
	})
}

// noteAtWork never puts the note back: SQLite has the clock of its machine, which may
// be behind at a start. One far ahead is wrong itself.
func (t *tx) noteAtWork() error {
	now := t.s.queueNow()
	return t.Exec("INSERT INTO queue_notes (name, text, at) VALUES (?, '', ?) ON CONFLICT (name) DO UPDATE SET at = CASE"+
		" WHEN queue_notes.at > excluded.at AND queue_notes.at <= ? THEN queue_notes.at ELSE excluded.at END",
		noteAtWork, now, now.Add(wrongClock)).Error
}

// dueBefore gives since when a copy must have been due to hold up a distribution that
// was made before that. After an ordinary rest each goes on with its tries. After a
// longer one none does, whenever its next try is: what this copy of the database
// waits for may have been sent long ago. Where nobody has noted when there was work,
// what ought to have been tried before an ordinary rest tells the two apart.
func (t *tx) dueBefore(before model.Instant) (model.Instant, error) {
	var at model.Instant
	if err := t.Raw("SELECT COALESCE(max(at), 0) FROM queue_notes WHERE name = ?", noteAtWork).Row().Scan(&at); err != nil {
		return 0, err
	}
	now := t.s.queueNow()
	switch rested := now.Add(-restMost); {
	case at == 0, at > now.Add(wrongClock):
		return rested, nil
	case at < rested:
		return model.Never + 1, nil
	}
	return before, nil
}
