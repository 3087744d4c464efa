package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"gorm.io/gorm"

	"plenary/internal/fault"
	"plenary/internal/model"
)

const fieldEnd = '\x1f'

const rangePeople = audience + " AND id > ? ORDER BY id LIMIT ?"

// nextPeople reads the next people of a distribution's audience.
func (s *Store) nextPeople(ctx context.Context, d *model.Distribution, limit int) ([]model.Subscriber, error) {
	subs, err := unpackPeople(s.readHot(ctx, readRange, d.ListID, d.Seq, d.Seq, d.Cursor, limit))
	return subs, s.fault(err)
}

// people reads the subscribers a condition chooses, in the order of their ids,
// with what a sender needs of them: no names. The condition ends with that order.
func (s *Store) people(db *gorm.DB, where string, args ...any) ([]model.Subscriber, error) {
	if s.dialect == SQLite {
		return peopleInText(db, where, args)
	}
	// Packed: reading a column costs more than taking it apart.
	rows, err := db.Raw("SELECT id, ended_seq, options | (mode << 32) | (delivery_status << 40),"+
		" email || '\x1f' || email_key FROM subscribers s WHERE "+where, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []model.Subscriber
	for rows.Next() {
		var p model.Subscriber
		var flags int64
		var text string
		if err := rows.Scan(&p.ID, &p.EndedSeq, &flags, &text); err != nil {
			return nil, err
		}
		setFlags(&p, flags)
		p.Email, p.EmailKey, _ = strings.Cut(text, "\x1f")
		out = append(out, p)
	}
	return out, rows.Err()
}

func setFlags(p *model.Subscriber, flags int64) {
	p.Options, p.Mode, p.DeliveryStatus = model.Options(uint32(flags)), model.Mode(uint8(flags>>32)), model.DeliveryStatus(flags>>40)
}

// peopleText is a subscriber as fields with a separator between them; an address
// and its key hold none.
const peopleText = "concat_ws('\x1f', id, ended_seq, options | (mode << 32) | (delivery_status << 40), email, email_key)"

// peopleInText does the same with one row of text from SQLite: handing rows to
// Go one by one costs as much again as reading them.
func peopleInText(db *gorm.DB, where string, args []any) ([]model.Subscriber, error) {
	return unpackPeople(db.Raw(selectPeople(where), args...).Row())
}

func selectPeople(where string) string {
	return "SELECT count(*), group_concat(t, '\x1f') FROM (SELECT " + peopleText + " AS t FROM subscribers s WHERE " + where + ")"
}

func unpackPeople(row *sql.Row) ([]model.Subscriber, error) {
	var n int
	var text sql.NullString
	err := row.Scan(&n, &text)
	if err != nil {
		return nil, err
	}
	out, rest := make([]model.Subscriber, n), text.String
	for i := range out {
		var v [3]int64
		for k := range v {
			if v[k], rest, err = leadingNumber(rest); err != nil {
				return nil, err
			}
		}
		p := &out[i]
		p.ID, p.EndedSeq = v[0], v[1]
		setFlags(p, v[2])
		p.Email, rest, _ = strings.Cut(rest, "\x1f")
		p.EmailKey, rest, _ = strings.Cut(rest, "\x1f")
	}
	if rest != "" {
		return nil, errPeople()
	}
	byID := func(a, b model.Subscriber) int { return cmp.Compare(a.ID, b.ID) }
	if !slices.IsSortedFunc(out, byID) { // no order is promised within an aggregate
		slices.SortFunc(out, byID)
	}
	return out, nil
}

var readRange = hotText{sqlite: selectPeople(rangePeople), postgres: "SELECT n, people FROM queue_people($1, $2, $3, $4, $5)"} // step 20

func errPeople() error { return fault.New(fault.Internal, "subscribers came in a wrong form") }

// leadingNumber takes a number and what ends it off the front.
func leadingNumber(s string) (n int64, rest string, err error) {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
		case c == fieldEnd && i > 0:
			return n, s[i+1:], nil
		default:
			return 0, "", errPeople()
		}
	}
	return 0, "", errPeople()
}
