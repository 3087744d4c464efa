package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"slices"
	"sort"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// The log of flag changes: one row for each change, kept one by one while they
// are young. When there are many, the oldest are joined to one with the newest
// of their numbers: who was away for long is then told of a few posts too many,
// never of too few.
const (
	joinEvery   = 256  // changes between two looks at how many rows there are
	maxChanges  = 1024 // rows of one person and list before some are joined; RFC 7162 sets no minimum
	keptChanges = 512  // rows left one by one
)

// ChangeFlags carries out a Marking in one transaction, as one FlagChange.
// Of a conditional one it gives the posts that were left alone. A person may use
// at most 64 flags on a list (TooMany).
func (s *Store) ChangeFlags(ctx context.Context, m model.Marking) (left []model.UID, err error) {
	for _, e := range m.Edits {
		if e.Flag == "" || len(e.Flag) > maxFlagLength {
			return nil, fault.New(fault.Invalid, "a flag has 1 to %d characters", maxFlagLength)
		}
	}
	if !m.Conditional && !slices.ContainsFunc(m.Edits, func(e model.FlagEdit) bool { return len(e.UIDs) > 0 }) {
		return nil, nil
	}
	err = s.write(ctx, func(t *tx) error {
		left = nil
		for _, e := range m.Edits {
			if err := t.lockFlags(m.Account, m.List, e.Flag); err != nil {
				return err
			}
		}
		var err error
		if m.Conditional {
			if left, err = t.changedSince(m); err != nil {
				return err
			}
		}
		return t.edit(m, left)
	})
	return left, err
}

// changedSince gives the guarded posts that changed after m.Since, sorted.
func (t *tx) changedSince(m model.Marking) (left []model.UID, err error) {
	changes, err := t.flagChanges(m.Account, m.List, m.Since)
	if err != nil {
		return nil, err
	}
	var runs []model.UIDRun
	for _, c := range changes {
		runs = append(runs, c.Runs...)
	}
	runs = model.JoinRuns(runs)
	for _, u := range m.Guard {
		if inRuns(runs, u) {
			left = append(left, u)
		}
	}
	slices.Sort(left)
	return left, nil
}

func inRuns(runs []model.UIDRun, u model.UID) bool {
	i := sort.Search(len(runs), func(i int) bool { return runs[i].To >= u })
	return i < len(runs) && runs[i].From <= u
}

// edit writes the flags, but for the posts left alone, and logs the change.
func (t *tx) edit(m model.Marking, left []model.UID) error {
	var touched []model.UID
	for _, e := range m.Edits {
		pages := map[int64][]byte{}
		var order []int64
		for _, u := range e.UIDs {
			if _, found := slices.BinarySearch(left, u); found {
				continue
			}
			n := int64(u / flagPage)
			if pages[n] == nil {
				pages[n] = make([]byte, flagPage/8)
				order = append(order, n)
			}
			pages[n][u%flagPage/8] |= 1 << (u % 8)
			touched = append(touched, u)
		}
		for _, n := range order {
			if err := t.setFlagPage(flagChange{m.Account, m.List, e.Flag, n, pages[n], e.On}); err != nil {
				return err
			}
		}
	}
	if len(touched) == 0 {
		return nil
	}
	t.signal(TopicFlags(m.Account, m.List))
	return t.logFlags(m.Account, m.List, model.RunsOf(touched))
}

// logFlags adds a row to the log. The caller holds the lock of the person's
// flags.
func (t *tx) logFlags(account, listID int64, runs []model.UIDRun) error {
	var seq int64
	err := t.Raw(`INSERT INTO flag_changes (account_id, list_id, seq, uid_next, uids) VALUES (?, ?,
		(SELECT coalesce(max(seq), 0) + 1 FROM flag_changes WHERE account_id = ? AND list_id = ?),
		coalesce((SELECT uid_next FROM list_counters WHERE list_id = ?), 1), ?) RETURNING seq`,
		account, listID, account, listID, listID, packRuns(runs)).Row().Scan(&seq)
	if err != nil || seq%joinEvery != 0 {
		return err
	}
	return t.joinFlagChanges(account, listID)
}

// joinFlagChanges makes one of the oldest rows.
func (t *tx) joinFlagChanges(account, listID int64) error {
	changes, err := t.flagChanges(account, listID, 0)
	if err != nil || len(changes) <= maxChanges {
		return err
	}
	old := changes[:len(changes)-keptChanges]
	var runs []model.UIDRun
	for _, c := range old {
		runs = append(runs, c.Runs...)
	}
	last := old[len(old)-1].Seq
	if err := t.Exec("UPDATE flag_changes SET uids = ? WHERE account_id = ? AND list_id = ? AND seq = ?",
		packRuns(model.JoinRuns(runs)), account, listID, last).Error; err != nil {
		return err
	}
	return t.Exec("DELETE FROM flag_changes WHERE account_id = ? AND list_id = ? AND seq < ?", account, listID, last).Error
}

func (t *tx) flagChanges(account, listID int64, since uint64) (all []model.FlagChange, err error) {
	rows, err := t.Raw(selectChanges, account, listID, since).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	err = eachChange(rows, func(c *model.FlagChange) error { all = append(all, *c); return nil })
	return all, err
}

const selectChanges = "SELECT seq, uid_next, uids FROM flag_changes WHERE account_id = ? AND list_id = ? AND seq + uid_next > ? ORDER BY seq"

func eachChange(rows *sql.Rows, yield func(*model.FlagChange) error) error {
	for rows.Next() {
		var c model.FlagChange
		var packed sql.RawBytes
		if err := rows.Scan(&c.Seq, &c.UIDNext, &packed); err != nil {
			return err
		}
		c.Runs = unpackRuns(packed)
		if err := yield(&c); err != nil {
			return err
		}
	}
	return rows.Err()
}

// FlagChanges gives what changed of a person's flags on a list after a
// mod-sequence, oldest first.
func (s *Store) FlagChanges(ctx context.Context, account, listID int64, since uint64) (all []model.FlagChange, err error) {
	rows, err := s.read(ctx).Raw(selectChanges, account, listID, since).Rows()
	if err != nil {
		return nil, s.fault(err)
	}
	defer rows.Close()
	err = eachChange(rows, func(c *model.FlagChange) error { all = append(all, *c); return nil })
	return all, s.fault(err)
}

// LastFlagChange gives the number of a person's last flag change on a list,
// without its posts, zero when there was none, and the UID the list's next post
// will get: one question, because one comes whenever a mailbox is looked at.
func (s *Store) LastFlagChange(ctx context.Context, account, listID int64) (c model.FlagChange, next model.UID, err error) {
	err = s.hot(ctx).row(lastChange, lastChangeOf(account, listID)...).Scan(&next, &c.Seq, &c.UIDNext)
	return c, next, s.fault(err)
}

const lastChange = `SELECT n.uid_next AS next, COALESCE(c.seq, 0) AS seq, COALESCE(c.uid_next, 0) AS at FROM list_counters n
	LEFT JOIN flag_changes c ON c.account_id = ? AND c.list_id = ?
	AND c.seq = (SELECT max(seq) FROM flag_changes WHERE account_id = ? AND list_id = ?) WHERE n.list_id = ?`

func lastChangeOf(account, listID int64) []any {
	return []any{account, listID, account, listID, listID}
}

// packRuns writes sorted runs: the gap before each and its length.
func packRuns(runs []model.UIDRun) []byte {
	var b []byte
	at := uint64(0)
	for _, r := range runs {
		b = binary.AppendUvarint(b, uint64(r.From)-at)
		b = binary.AppendUvarint(b, uint64(r.To-r.From))
		at = uint64(r.To)
	}
	return b
}

func unpackRuns(b []byte) (runs []model.UIDRun) {
	at := uint64(0)
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		if n <= 0 {
			break
		}
		length, k := binary.Uvarint(b[n:])
		if k <= 0 {
			break
		}
		b = b[n+k:]
		from := at + gap
		at = from + length
		runs = append(runs, model.UIDRun{From: model.UID(from), To: model.UID(at)})
	}
	return runs
}
