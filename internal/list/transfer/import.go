package transfer

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// Importer brings archives into lists.
type Importer struct {
	Store    Store
	Now      func() time.Time
	Progress func(Progress) // called after each batch; may be nil
	Limit    int64          // octets of one message; 0: MaxMessage
}

func (im *Importer) limit() int64 {
	if im.Limit <= 0 {
		return MaxMessage
	}
	return im.Limit
}

// Import reads files and folders of a format into a list. It goes on where an
// earlier import of the same files ended. The report is right as far as the
// import came, also with an error.
func (im *Importer) Import(ctx context.Context, list *model.List, format string, paths ...string) (Report, error) {
	var rep Report
	f, ok := FindFormat(format)
	if !ok {
		return rep, fault.New(fault.Invalid, "there is no format %q", format)
	}
	files, err := expand(f, paths)
	if err != nil {
		return rep, err
	}
	job := &job{im: im, list: list, format: f, report: &rep}
	if f.Read == nil {
		return rep, job.singles(ctx, files)
	}
	for _, path := range files {
		if err := job.file(ctx, path); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

// job is one import.
type job struct {
	im     *Importer
	list   *model.List
	format Format
	report *Report
}

// file imports one file of many messages.
func (j *job) file(ctx context.Context, path string) error {
	src, err := openSource(path, j.format.Name)
	if err != nil {
		return err
	}
	defer src.Close()
	at, err := j.im.Store.ImportPosition(ctx, j.list.ID, src.id)
	if err != nil {
		return err
	}
	if at > 0 {
		switch ok, err := src.seek(at); {
		case err != nil:
			return err
		case !ok: // not the file it was: from the beginning, nothing is stored twice
			if err := src.restart(); err != nil {
				return err
			}
			at = 0
		default:
			j.report.Resumed = append(j.report.Resumed, path)
		}
	}
	return j.run(ctx, src.id, path, &fileReader{Reader: j.format.Read(src, at, j.im.limit()), src: src})
}

// fileReader adds how much of the file was read.
type fileReader struct {
	Reader
	src *source
}

func (f *fileReader) octets() (read, total int64) { return f.src.read.Load(), f.src.total }

// chunk is a batch on its way from the file to the store.
type chunk struct {
	raw    []Message
	posts  []*model.NewPost
	parcel *model.Parcel
	failed error // why there is no parcel
	end    int64 // where the file stands after it
	large  int
	read   int64
	total  int64
	reason error // why it is the last one; nil: it is not
}

// stream is a Reader that can say how far it is.
type stream interface {
	Reader
	octets() (read, total int64)
}

// run reads, parses and writes one stream, three batches at a time.
func (j *job) run(ctx context.Context, source, name string, r stream) error {
	ctx, cancel := context.WithCancel(ctx)
	read, made := make(chan *chunk), make(chan *chunk, 1) // one more batch waits made
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		defer close(read)
		size := firstBatch
		pass(ctx, read, func() *chunk {
			c := gather(r, size)
			size = min(2*size, batchPosts)
			return c
		})
	})
	wg.Go(func() {
		defer close(made)
		pass(ctx, made, func() *chunk {
			c, ok := <-read
			if !ok {
				return nil
			}
			j.parse(c)
			c.parcel, c.failed = j.im.Store.PackPosts(j.list.ID, c.posts)
			return c
		})
	})
	for c := range made {
		added := 0
		if c.end > 0 { // it read a message
			err := c.failed
			if err == nil {
				added, err = j.im.Store.ImportParcel(ctx, c.parcel, source, c.end)
			}
			if err != nil {
				return err
			}
		}
		rep := j.report
		rep.Messages += len(c.posts) + c.large
		rep.Added += added
		rep.Known += len(c.posts) - added
		rep.TooLarge += c.large
		if j.im.Progress != nil {
			j.im.Progress(Progress{File: name, Octets: c.read, Total: c.total, Messages: rep.Messages, Added: rep.Added})
		}
		var cut *CutError
		switch {
		case c.reason == nil:
		case errors.As(c.reason, &cut):
			rep.Cut = append(rep.Cut, name+": "+cut.Error())
			return nil
		case errors.Is(c.reason, io.EOF):
			return nil
		default:
			return fault.Wrap(fault.Invalid, c.reason, "%s", name)
		}
	}
	return fault.Wrap(fault.Temporary, ctx.Err(), "the import was given up; call it again to go on")
}

// pass hands chunks on until one of them is the last.
func pass(ctx context.Context, to chan<- *chunk, next func() *chunk) {
	for {
		c := next()
		if c == nil {
			return
		}
		select {
		case to <- c:
		case <-ctx.Done():
			return
		}
		if c.reason != nil {
			return
		}
	}
}

// gather reads one batch of at most most messages.
func gather(r stream, most int) *chunk {
	c := &chunk{}
	octets := 0
	for len(c.raw) < most && octets < batchOctets {
		m, err := r.Next()
		if err != nil {
			c.reason = err
			break
		}
		c.end = m.End
		switch {
		case m.TooLarge:
			c.large++
		case len(m.Raw) > 0:
			c.raw = append(c.raw, m)
			octets += len(m.Raw)
		}
	}
	c.read, c.total = r.octets()
	return c
}

// parse makes the posts of a batch on all processors, in order.
func (j *job) parse(c *chunk) {
	c.posts = make([]*model.NewPost, len(c.raw))
	var wg sync.WaitGroup
	workers := min(j.im.Store.Workers(), len(c.raw))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(c.raw); i += workers {
				m := c.raw[i]
				c.posts[i] = archive.Make(j.list, m.Raw, nil, model.At(j.received(m)), true)
			}
		})
	}
	wg.Wait()
	c.raw = nil
}

// received is when an old message came: by the file, the topmost Received
// field, the Date field; now when nobody knows.
func (j *job) received(m Message) time.Time {
	if !m.ReceivedAt.IsZero() && m.ReceivedAt.Unix() > 0 {
		return m.ReceivedAt
	}
	h := message.ParseHeader(m.Raw)
	if v := h.Get("Received"); v != "" {
		for i := len(v) - 1; i >= 0; i-- {
			if v[i] == ';' {
				if t, ok := message.ParseDate(v[i+1:]); ok {
					return t
				}
				break
			}
		}
	}
	if t, ok := h.Date(); ok && t.Unix() > 0 {
		return t
	}
	return j.im.Now()
}
