package archive

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"plenary/internal/model"
)

// Repairs is what a Keeper changes; store.Store has it.
type Repairs interface {
	ReindexPosts(ctx context.Context, posts []*model.NewPost) error
	SaveThreadNodes(ctx context.Context, listID int64, old, fresh []model.ThreadNode) (changed int, err error)
	ThreadRulings(ctx context.Context, listID int64) ([]model.ThreadRuling, error)
	ThreadHints(ctx context.Context, listID int64, yield func(*model.ThreadHint) error) error
	SaveThreadHints(ctx context.Context, listID int64, wrong, missing []model.ThreadHint) error
	DamagedEras(ctx context.Context, listID int64) (eras []int64, err error)
	SetErasAside(ctx context.Context, listID int64) (eras []int64, err error)
	LeaveEras(ctx context.Context, listID int64, eras []int64) (others []model.List, err error)
}

// Keeper compares what is kept of a list's posts with the messages themselves,
// which are the truth, and makes it anew. Both work beside a running service, in
// batches; a post that arrives meanwhile is looked at too. A Keeper is for one
// call.
type Keeper struct {
	Reader   *Reader
	Repairs  Repairs
	Progress func(done, total int) // posts; may be nil

	posts   []Threadable // gone through so far
	right   []model.ThreadNode
	last    model.UID
	damaged map[model.PostID]bool
}

const (
	keeperBatch  = 256 // posts of one transaction
	threadBatch  = 500 // nodes of one transaction
	threadRounds = 5   // when posts keep arriving
)

// Finding is something kept that does not fit its message.
type Finding struct {
	UID  model.UID // 0: not about one post
	Text string    // one line
}

// Checked is what a check looked at.
type Checked struct {
	Posts    int `json:"posts"`
	Octets   int `json:"octets"`
	Threads  int `json:"thread_nodes"`
	Findings int `json:"findings"`
	Damaged  int `json:"damaged"` // findings that no reindex mends: messages cannot be read
}

// Check reads every message of a list and compares: its bytes are there, its
// row, wire forms and columns are what it gives today, the index finds it, its
// thread is what a rebuild gives. tell gets each finding.
func (k *Keeper) Check(ctx context.Context, l *model.List, tell func(Finding)) (Checked, error) {
	var c Checked
	say := func(f Finding) {
		c.Findings++
		tell(f)
	}
	damaged, err := k.Repairs.DamagedEras(ctx, l.ID)
	if err != nil {
		return c, err
	}
	if len(damaged) > 0 {
		say(Finding{Text: "the full-text index is damaged"})
	}
	err = k.each(ctx, l, func(b *kept) error {
		c.Posts += len(b.rows)
		for i, row := range b.rows {
			if b.made[i] == nil {
				say(Finding{row.UID, "the message cannot be read: " + oneLine(b.failed[i].Error())})
				c.Damaged++
				continue
			}
			c.Octets += int(row.Size)
			for _, text := range b.compare(i) {
				say(Finding{row.UID, text})
			}
			ok := len(damaged) > 0 // it may not be asked
			if !ok {
				if ok, err = k.indexed(ctx, l.ID, row.UID, &b.made[i].Text); err != nil {
					return err
				}
			}
			if !ok {
				say(Finding{row.UID, "the full-text index does not find it"})
			}
			if ok, err = k.known(ctx, l.ID, b.made[i]); err != nil {
				return err
			}
			if !ok {
				say(Finding{row.UID, "it is not found by its Message-ID or its bytes"})
			}
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	d, err := k.threads(ctx, l)
	c.Threads = d.nodes
	for _, h := range append(d.wrong, d.missing...) {
		say(Finding{k.uidOf(h.Key), "what its parent is guessed by is not what the message gives"})
	}
	old, fresh := d.old, d.fresh
	for i := range fresh {
		f := Finding{UID: max(old[i].PostID, fresh[i].PostID).UID()}
		switch {
		case old[i].Key == 0:
			f.Text = "its place in the threads is missing"
		case fresh[i].Key == 0:
			f.Text = "the threads hold a place nothing refers to"
		default:
			f.Text = "its place in the threads is not what a rebuild gives: " + placeDiffers(old[i], fresh[i])
		}
		if id := cmp.Or(old[i].MessageID, fresh[i].MessageID); f.UID == 0 {
			f.Text += ": of a message that never came, " + oneLine(id)
		}
		say(f)
	}
	if len(k.damaged) > 0 {
		say(Finding{Text: "the threads were not compared, because of what cannot be read"})
		c.Damaged++
	}
	return c, err
}

// placeDiffers says what differs of two places in the threads.
func placeDiffers(was, is model.ThreadNode) string {
	var texts []string
	if was.ThreadID != is.ThreadID {
		texts = append(texts, fmt.Sprintf("it is in thread %d, not %d", was.ThreadID.UID(), is.ThreadID.UID()))
	}
	for _, f := range []struct {
		name string
		same bool
	}{{"the post", was.PostID == is.PostID}, {"the parent", was.ParentKey == is.ParentKey}, {"what it says its parent is", was.Claim == is.Claim},
		{"the Message-ID", was.MessageID == is.MessageID}} {
		if !f.same {
			texts = append(texts, f.name+" differs")
		}
	}
	if was.Link != is.Link {
		texts = append(texts, fmt.Sprintf("its parent is known by %s, not by %s", was.Link, is.Link))
	}
	if len(texts) == 0 {
		texts = append(texts, "the row of the post names another thread")
	}
	return strings.Join(texts, "; ")
}

// Reindexed is what a reindex did.
type Reindexed struct {
	Posts   int `json:"posts"`
	Damaged int `json:"damaged"` // messages that cannot be read: left as they were
	Threads int `json:"thread_nodes_changed"`

	// Others are lists whose words are in a part of the index that is damaged:
	// they are to be indexed anew as well.
	Others []string `json:"other_lists,omitempty"`
}

// Reindex makes everything derived from the messages of a list anew: rows, wire
// forms, columns, index and threads. The messages, their UIDs and everybody's
// flags stay. A service that runs shows new dates and facts after a restart.
func (k *Keeper) Reindex(ctx context.Context, l *model.List) (Reindexed, error) {
	var done Reindexed
	eras, err := k.Repairs.SetErasAside(ctx, l.ID)
	if err != nil {
		return done, err
	}
	err = k.each(ctx, l, func(b *kept) error {
		var batch []*model.NewPost
		for _, p := range b.made {
			if p == nil {
				done.Damaged++
				continue
			}
			batch = append(batch, p)
		}
		done.Posts += len(batch)
		return k.Repairs.ReindexPosts(ctx, batch)
	})
	for round := 0; err == nil && round < threadRounds; round++ {
		var d difference
		if d, err = k.threads(ctx, l); err != nil || d.none() {
			break
		}
		n := 0
		n, err = k.mend(ctx, l.ID, d)
		done.Threads += n
	}
	if err != nil {
		return done, err
	}
	others, err := k.Repairs.LeaveEras(ctx, l.ID, eras)
	for i := range others {
		done.Others = append(done.Others, others[i].Address())
	}
	return done, err
}

// kept is a batch of posts: as they are kept, and as they are made today.
type kept struct {
	rows   []Row
	posts  []model.Post
	wires  [3][][]byte
	made   []*model.NewPost
	failed []error
}

// each goes in batches through the posts of a list it has not gone through.
func (k *Keeper) each(ctx context.Context, l *model.List, look func(*kept) error) error {
	ix, err := k.Reader.Open(ctx, l.ID)
	if err != nil {
		return err
	}
	rows := ix.Rows()
	if k.damaged == nil {
		k.damaged = map[model.PostID]bool{}
	}
	at, _ := find(rows, k.last+1)
	for ; at < len(rows); at += keeperBatch {
		b := &kept{rows: rows[at:min(at+keeperBatch, len(rows))]}
		if err := k.load(ctx, l, b); err != nil {
			return err
		}
		for i, p := range b.made {
			if p == nil {
				k.damaged[model.MakePostID(l.ID, b.rows[i].UID)] = true
				continue
			}
			k.posts = append(k.posts, ThreadableOf(p))
		}
		if err := look(b); err != nil {
			return err
		}
		k.last = b.rows[len(b.rows)-1].UID
		if k.Progress != nil {
			k.Progress(at+len(b.rows), len(rows))
		}
	}
	return nil
}

// load reads a batch. A message that cannot be read is noted, not an error.
func (k *Keeper) load(ctx context.Context, l *model.List, b *kept) error {
	ids := make([]model.PostID, len(b.rows))
	for i, r := range b.rows {
		ids[i] = model.MakePostID(l.ID, r.UID)
	}
	posts, err := k.Reader.store.FindPosts(ctx, ids)
	if err != nil {
		return err
	}
	b.posts, b.made, b.failed = make([]model.Post, len(ids)), make([]*model.NewPost, len(ids)), make([]error, len(ids))
	for _, p := range posts {
		i, _ := slices.BinarySearch(ids, p.ID)
		b.posts[i] = p
	}
	for i, p := range b.posts {
		row := Row{UID: b.rows[i].UID, Size: uint32(p.Size), BytesID: p.BytesID, BytesOff: offset(p.BytesOff), list: uint32(l.ID)}
		data, err := k.Reader.Bytes(ctx, row)
		if err == nil && (p.OwnLen < 0 || p.OwnLen > int64(len(data))) {
			err = fmt.Errorf("its own header is longer than the message")
		}
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			b.failed[i] = err
			continue
		}
		made := Make(l, data[p.OwnLen:], data[:p.OwnLen], p.ReceivedAt, p.Flags&model.PostImported != 0)
		made.Post.ID, made.Post.ThreadID, made.Post.BytesID, made.Post.BytesOff = p.ID, p.ThreadID, p.BytesID, p.BytesOff
		b.made[i] = made
	}
	return k.loadWires(ctx, l.ID, b)
}

func (k *Keeper) loadWires(ctx context.Context, listID int64, b *kept) error {
	s := k.Reader.store
	reads := [...]func(context.Context, int64, model.UID, model.UID, func(model.UID, []byte) error) error{s.PostEnvelopes, s.PostHeaders, nil}
	if c, ok := s.(Columned); ok {
		reads[2] = c.PostColumns
	}
	for n, read := range reads {
		b.wires[n] = make([][]byte, len(b.rows))
		if read == nil {
			continue
		}
		if err := read(ctx, listID, b.rows[0].UID, b.rows[len(b.rows)-1].UID, func(uid model.UID, data []byte) error {
			if i, ok := find(b.rows, uid); ok {
				b.wires[n][i] = append([]byte{}, data...)
			}
			return nil
		}); err != nil && ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// compare names what differs of one post.
func (b *kept) compare(i int) (texts []string) {
	p, m := &b.posts[i], &b.made[i].Post
	var rows []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"size", p.Size == m.Size}, {"header length", p.HeaderLen == m.HeaderLen}, {"date", p.SentAt == m.SentAt}, {"facts", p.Flags == m.Flags},
		{"author", p.Author == m.Author && p.AuthorKey == m.AuthorKey}, {"subject", p.Subject == m.Subject},
		{"structure", bytes.Equal(p.BodyStructure, m.BodyStructure)},
	} {
		if !f.same {
			rows = append(rows, f.name)
		}
	}
	if len(rows) > 0 {
		texts = append(texts, "its row is not what the message gives: "+strings.Join(rows, ", "))
	}
	for n, w := range []struct {
		name string
		made []byte
	}{{"envelope is", b.made[i].Envelope}, {"header fields are", b.made[i].Header}, {"columns are", b.made[i].Columns}} {
		have := b.wires[n][i]
		switch {
		case have == nil:
			texts = append(texts, "its "+w.name+" missing")
		case !bytes.Equal(have, w.made):
			texts = append(texts, "its "+w.name+" not what the message gives")
		}
	}
	return texts
}

// known asks whether a second copy of the message would be noticed. The list may
// have had the id before: then it is that post's.
func (k *Keeper) known(ctx context.Context, listID int64, p *model.NewPost) (bool, error) {
	for _, id := range []struct {
		kind int
		key  []byte
	}{{model.KeyMessageID, p.MessageKey}, {model.KeyRaw, p.RawKey}} {
		if len(id.key) == 0 {
			continue
		}
		found, err := k.Reader.store.FindPostByKey(ctx, listID, id.kind, id.key)
		if err != nil || found == 0 || found > p.Post.ID {
			return false, err
		}
	}
	return true, nil
}

// indexed asks the index for the first word of each column of a post.
func (k *Keeper) indexed(ctx context.Context, listID int64, uid model.UID, x *model.SearchText) (bool, error) {
	var asked [][]model.MatchStep
	for i, words := range []string{x.Subject, x.Author, x.Recipients, x.Body, x.Quoted, x.Files} {
		if word, _, _ := strings.Cut(words, " "); word != "" && word != Filler {
			asked = append(asked, []model.MatchStep{{Columns: 1 << i, Words: []string{word}}})
		}
	}
	if len(asked) == 0 {
		return true, nil
	}
	found := false
	m := model.Match{Steps: joinSteps(model.MatchAnd, asked), From: uid, To: uid, Limit: 1}
	err := k.Reader.store.MatchPosts(ctx, listID, m, func(model.UID) bool { found = true; return false })
	return found, err
}
