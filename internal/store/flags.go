package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"strconv"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Personal flags are bitmaps: a page of flagPage UIDs of one list for one
// person and flag. A person who read 100,000 posts takes 13 pages of 1 KB.
const (
	flagPage      = 8192 // UIDs
	maxFlags      = 64   // different flags a person may use on one list (RFC 9051 sets no minimum)
	maxFlagLength = 64   // octets
)

// TopicFlags is woken when a person's flags on a list changed, so that her
// other sessions can look again.
func TopicFlags(account, listID int64) string {
	return "flags:" + strconv.FormatInt(account, 10) + ":" + strconv.FormatInt(listID, 10)
}

// FlagPages gives a person's flags on a list: page n of a flag holds UID
// n*8192+8*i+b in bit b (least first) of octet i; a page may be short. The bits
// are good until yield returns.
func (s *Store) FlagPages(ctx context.Context, account, listID int64, yield func(flag string, page int64, bits []byte)) error {
	rows, err := s.read(ctx).Raw("SELECT flag, page, bits FROM post_flags WHERE account_id = ? AND list_id = ? ORDER BY flag, page",
		account, listID).Rows()
	if err != nil {
		return s.fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		var flag string
		var page int64
		var bits sql.RawBytes
		if err := rows.Scan(&flag, &page, &bits); err != nil {
			return s.fault(err)
		}
		yield(flag, page, bits)
	}
	return s.fault(rows.Err())
}

// SetFlag sets or clears a person's flag on posts of a list. Flags are told
// apart as they are written; the caller folds case (RFC 9051 2.3.2). A person
// may use at most 64 flags on a list (TooMany).
func (s *Store) SetFlag(ctx context.Context, m model.Mark, uids []model.UID, on bool) error {
	_, err := s.ChangeFlags(ctx, model.Marking{Account: m.Account, List: m.List, Edits: []model.FlagEdit{{Flag: m.Flag, UIDs: uids, On: on}}})
	return err
}

// flagChange is what happens to one page.
type flagChange struct {
	account, list int64
	flag          string
	page          int64
	mask          []byte
	on            bool
}

// lockFlags lets two sessions of one person change flags one after the other,
// and bounds how many flags there are.
func (t *tx) lockFlags(account, listID int64, flag string) error {
	if t.s.dialect == Postgres {
		if err := t.Exec("SELECT pg_advisory_xact_lock(?)", account<<24^listID).Error; err != nil {
			return err
		}
	}
	var others int64
	err := t.Raw("SELECT count(DISTINCT flag) FROM post_flags WHERE account_id = ? AND list_id = ? AND flag <> ?",
		account, listID, flag).Row().Scan(&others)
	if err == nil && others >= maxFlags {
		return fault.New(fault.TooMany, "there are %d flags on this list already, no more can be made", maxFlags)
	}
	return err
}

func (t *tx) setFlagPage(c flagChange) error {
	var old []byte
	err := t.Raw("SELECT bits FROM post_flags WHERE account_id = ? AND list_id = ? AND flag = ? AND page = ?",
		c.account, c.list, c.flag, c.page).Row().Scan(&old)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	bits := make([]byte, flagPage/8)
	copy(bits, old)
	for i, m := range c.mask {
		if c.on {
			bits[i] |= m
		} else {
			bits[i] &^= m
		}
	}
	bits = bytes.TrimRight(bits, "\x00")
	if len(bits) == 0 {
		return t.Exec("DELETE FROM post_flags WHERE account_id = ? AND list_id = ? AND flag = ? AND page = ?",
			c.account, c.list, c.flag, c.page).Error
	}
	return t.Exec(`INSERT INTO post_flags (account_id, list_id, flag, page, bits) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account_id, list_id, flag, page) DO UPDATE SET bits = excluded.bits`,
		c.account, c.list, c.flag, c.page, bits).Error
}
