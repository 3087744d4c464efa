package store

import (
	"context"
	"errors"
	"slices"

	"plenary/internal/model"
)

// regroup packs the wire forms of posts that came one by one since the last
// group; what is too little for a group waits for more. A reader sees either
// the rows or the group.
func (s *Store) regroup(ctx context.Context, t wireTable, listID int64) error {
	for {
		some, more, err := s.looseWires(ctx, t, listID)
		if err != nil || !more {
			return s.fault(err)
		}
		packed, err := packGroup(some)
		if err != nil {
			return s.fault(err)
		}
		ids := make([]model.PostID, len(some))
		for i, w := range some {
			ids[i] = w.id
		}
		err = s.write(ctx, func(x *tx) error {
			for c := range slices.Chunk(ids, maxInList) {
				r := x.Exec("DELETE FROM "+t.name+" WHERE id IN ?", c)
				if r.Error != nil {
					return r.Error
				}
				if int(r.RowsAffected) != len(c) {
					return errDuplicate
				}
			}
			return x.Exec(t.insert()+"(?, ?)", ids[0], packed).Error
		})
		if errors.Is(err, errDuplicate) {
			return nil // somebody else is at it
		}
		if err != nil {
			return err
		}
	}
}

// looseWires gives the oldest wire forms behind the last group that make one;
// more is false when they are too few.
func (s *Store) looseWires(ctx context.Context, t wireTable, listID int64) (some []wire, more bool, err error) {
	first, last := postRange(listID, 0, 1<<32-1)
	var edge model.PostID // the last group
	rows, err := s.read(ctx).Raw("SELECT id, substr("+t.column+", 1, 1) FROM "+t.name+" WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?",
		first, last, maxUnsealed).Rows()
	if err != nil {
		return nil, false, err
	}
	for rows.Next() {
		var id model.PostID
		var mark []byte
		if err := rows.Scan(&id, &mark); err != nil {
			_ = rows.Close()
			return nil, false, err
		}
		edge = id
		if len(mark) == 1 && mark[0] == groupMark {
			edge++
			break
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || edge == 0 {
		return nil, false, err
	}
	size := 0
	rows, err = s.read(ctx).Raw("SELECT id, "+t.column+" FROM "+t.name+" WHERE id BETWEEN ? AND ? ORDER BY id", edge, last).Rows()
	if err != nil {
		return nil, false, err
	}
	for size < groupOctets && rows.Next() {
		var w wire
		if err := rows.Scan(&w.id, &w.data); err != nil {
			_ = rows.Close()
			return nil, false, err
		}
		if len(w.data) > 0 && w.data[0] == groupMark {
			break
		}
		size += len(w.data)
		some = append(some, w)
	}
	return some, size >= groupOctets && len(some) > 1, errors.Join(rows.Err(), rows.Close())
}
