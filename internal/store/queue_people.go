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

// nextPeople reads the next people of a distribution's audience from SQLite.
func (s *Store) nextPeople(ctx context.Context, d *model.Distribution, limit int) ([]model.Subscriber, error) {
	subs, err := unpackPeople(s.readHot(ctx, readRange, d.ListID, d.Seq, d.Seq, d.Cursor, limit))
	return subs, s.fault(err)
}

// people reads the subscribers a condition chooses, in the order of their ids,
// with what a sender needs of them. The condition ends with that order.
func (s *Store) people(db *gorm.DB, where string, args ...any) ([]model.Subscriber, error) {
	if s.dialect == SQLite {
		return peopleInText(db, where, args)
	}
	// Packed: reading a column costs more than taking it apart. The name comes
	// last, whatever it holds.
	rows, err := db.Raw("SELECT id, ended_seq, options | (mode << 32) | (delivery_status << 40),"+
		" email || '\x1f' || email_key || '\x1f' || language || '\x1f' || name FROM subscribers s WHERE "+where, args...).Rows()
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
		p.Email, text, _ = strings.Cut(text, "\x1f")
		p.EmailKey, text, _ = strings.Cut(text, "\x1f")
		p.Language, p.Name, _ = strings.Cut(text, "\x1f")
		out = append(out, p)
	}
	return out, rows.Err()
}

func setFlags(p *model.Subscriber, flags int64) {
	p.Options, p.Mode, p.DeliveryStatus = model.Options(uint32(flags)), model.Mode(uint8(flags>>32)), model.DeliveryStatus(flags>>40)
}

// peopleText is a subscriber as fields with a separator between them; an address,
// its key and a language hold none. The fourth number is the length of the name,
// which comes last: it may hold anything and must not pass for somebody else's
// row.
const peopleText = "concat_ws('\x1f', id, ended_seq, options | (mode << 32) | (delivery_status << 40), octet_length(name)," +
	" email, email_key, language, name)"

// peopleInText does the same with one row of text from SQLite: handing rows to
// Go one by one costs as much again as reading them.
func peopleInText(db *gorm.DB, where string, args []any) ([]model.Subscriber, error) {
	return unpackPeople(db.Raw(selectPeople(where), args...).Row())
}

func selectPeople(where string) string {
	return "SELECT count(*), group_concat(t, '') FROM (SELECT " + peopleText + " AS t FROM subscribers s WHERE " + where + ")"
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
		var v [4]int64
		for k := range v {
			if v[k], rest, err = leadingNumber(rest); err != nil {
				return nil, err
			}
		}
		p := &out[i]
		p.ID, p.EndedSeq = v[0], v[1]
		setFlags(p, v[2])
		for _, to := range []*string{&p.Email, &p.EmailKey, &p.Language} {
			end := strings.IndexByte(rest, fieldEnd)
			if end < 0 {
				return nil, errPeople()
			}
			*to, rest = rest[:end], rest[end+1:]
		}
		if v[3] > int64(len(rest)) {
			return nil, errPeople()
		}
		p.Name, rest = rest[:v[3]], rest[v[3]:]
	}
	if rest != "" {
		return nil, errPeople()
	}
	byID := func(a, b model.Subscriber) int { return cmp.Compare(a.ID, b.ID) }
	if !slices.IsSortedFunc(out, byID) { // SQLite promises no order within an aggregate
		slices.SortFunc(out, byID)
	}
	return out, nil
}

var readRange = hotText{sqlite: selectPeople(rangePeople)}

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
