package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plenary/internal/model"
)

// placeColumns are what PostPlaces reads.
const placeColumns = "id, size, header_len, received_at, sent_at, flags, thread_id, bytes_id, bytes_off"

// PostPlaces gives, in the order of UIDs, what an index of the list needs of
// each post from UID from to UID to: id, size, header length, dates, flags,
// thread and place of the bytes. The row is good until yield returns.
func (s *Store) PostPlaces(ctx context.Context, listID int64, from, to model.UID, yield func(*model.Post) error) error {
	read := s.placesInRows
	if s.dialect == SQLite {
		read = s.placesInText
	}
	page := make([]model.Post, 0, 4*pageRows)
	at, last := postRange(listID, from, to)
	if from > 1 { // mostly somebody looks whether there is anything new
		var n int
		if err := s.read(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM posts WHERE id BETWEEN ? AND ? LIMIT 1) AS one", at, last).Row().Scan(&n); err != nil || n == 0 {
			return s.fault(err)
		}
	}
	for {
		var err error
		if page, err = read(ctx, at, last, page[:0]); err != nil {
			return s.fault(err)
		}
		for i := range page {
			if err := yield(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < cap(page) {
			return nil
		}
		at = page[len(page)-1].ID + 1
	}
}

// placesInRows fills a page to its capacity.
func (s *Store) placesInRows(ctx context.Context, at, last model.PostID, page []model.Post) ([]model.Post, error) {
	rows, err := s.read(ctx).Raw("SELECT "+placeColumns+" FROM posts WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", at, last, cap(page)).Rows()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		page = page[:len(page)+1]
		p := &page[len(page)-1]
		if err := rows.Scan(&p.ID, &p.Size, &p.HeaderLen, &p.ReceivedAt, &p.SentAt, &p.Flags, &p.ThreadID,
			&p.BytesID, &p.BytesOff); err != nil {
			_ = rows.Close()
			return nil, err
		}
	}
	return page, errors.Join(rows.Err(), rows.Close())
}

// placesInText does the same with one row of text from SQLite: handing nine
// columns of each row to Go costs three times what reading them does.
func (s *Store) placesInText(ctx context.Context, at, last model.PostID, page []model.Post) ([]model.Post, error) {
	var text sql.NullString
	err := s.read(ctx).Raw("SELECT group_concat(format('"+strings.Repeat("%d ", 9)+"', "+placeColumns+"), '') FROM (SELECT "+placeColumns+
		" FROM posts WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?)", at, last, cap(page)).Row().Scan(&text)
	if err != nil {
		return nil, err
	}
	var fields [9]int64
	field, number, negative := 0, int64(0), false
	for _, c := range []byte(text.String) {
		switch {
		case c == '-':
			negative = true
		case c >= '0' && c <= '9':
			number = number*10 + int64(c-'0')
		case c == ' ':
			if negative {
				number = -number
			}
			fields[field] = number
			field, number, negative = field+1, 0, false
		}
		if field < len(fields) {
			continue
		}
		field = 0
		if len(page) == cap(page) {
			return nil, fmt.Errorf("more posts than asked for")
		}
		page = append(page, model.Post{ID: model.PostID(fields[0]), Size: fields[1], HeaderLen: fields[2], ReceivedAt: model.Instant(fields[3]),
			SentAt: model.Instant(fields[4]), Flags: model.PostFlags(fields[5]), ThreadID: model.PostID(fields[6]), BytesID: fields[7], BytesOff: fields[8]})
	}
	byID := func(a, b model.Post) int { return cmp.Compare(a.ID, b.ID) }
	if !slices.IsSortedFunc(page, byID) { // SQLite promises no order within an aggregate
		slices.SortFunc(page, byID)
	}
	return page, nil
}
