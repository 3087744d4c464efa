package archive

import (
	"cmp"
	"context"
	"slices"

	"plenary/internal/model"
)

// SubjectForest arranges posts of a list as THREAD=ORDEREDSUBJECT does (RFC 5256
// section 3): those with the same base subject are a thread, the earliest of
// which is the parent of all others.
func (r *Reader) SubjectForest(ctx context.Context, listID int64, uids []model.UID) ([]Branch, error) {
	ix, err := r.Open(ctx, listID)
	if err != nil {
		return nil, err
	}
	rows := ix.Rows()
	cols, err := r.columns(ctx, ix, rows)
	if err != nil {
		return nil, err
	}
	threads := map[uint32][]uint32{} // places by number of the subject
	var order []uint32
	for _, u := range uids {
		i, ok := find(rows, u)
		if !ok {
			continue
		}
		subject := cols.subjects.sorted.of[cols.fields[inSubject][i]]
		if threads[subject] == nil {
			order = append(order, subject)
		}
		threads[subject] = append(threads[subject], uint32(i))
	}
	sooner := func(a, b uint32) int {
		return cmp.Or(cmp.Compare(cols.dates[a], cols.dates[b]), cmp.Compare(a, b))
	}
	for _, places := range threads {
		slices.SortFunc(places, sooner)
	}
	slices.SortFunc(order, func(a, b uint32) int { return sooner(threads[a][0], threads[b][0]) })
	out := make([]Branch, 0, len(uids))
	for _, subject := range order {
		for n, place := range threads[subject] {
			out = append(out, Branch{Post: model.MakePostID(listID, rows[place].UID), Depth: min(n, 1)})
		}
	}
	return out, nil
}
