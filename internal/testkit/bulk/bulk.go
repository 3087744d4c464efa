// Package bulk makes the mail of a large list that never was: a million posts
// for the figures that only show at that size.
//
// The posts follow the measured shape of real archives: 60 % as an ordinary user
// list has them (most with HTML, some with attachments), 25 % as a development
// list, 15 % as a kernel list, with the sizes, header lengths, depth of threads,
// share of answers and frequency of authors and words of those, and their
// oddities: Message-IDs used twice or missing, loops of references, answers to
// what is not in the archive, dates of 1945 and 2038, raw 8-bit text. The same
// seed gives the same octets. Nobody in it lives; all addresses are example.org,
// example.net and example.com.
package bulk

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Options says how much and what.
type Options struct {
	Seed    uint64
	Largest int // octets of one message, about; 0: as large as they come (4 MB)
}

// Message is one post as it would arrive.
type Message struct {
	Raw        []byte // CRLF lines
	ReceivedAt time.Time
}

// profile is one of the three kinds of list.
type profile struct {
	share    float64 // of all posts
	sizes    [8]int  // p0 p5 p25 p50 p75 p90 p95 p99
	largest  int
	header   [2]int // octets of trace fields, from and to
	replies  float64
	html     float64
	attached float64
	copies   int // addresses in Cc of an answer, at most
}

var profiles = [...]profile{
	{0.60, [8]int{3000, 5000, 7800, 11600, 21000, 54500, 173000, 688000}, 3_170_000, [2]int{2600, 5600}, 0.70, 0.82, 0.051, 2},
	{0.25, [8]int{2800, 4500, 6200, 8000, 12500, 20700, 31000, 114000}, 3_580_000, [2]int{2400, 6400}, 0.81, 0.137, 0.065, 4},
	{0.15, [8]int{1500, 2700, 5300, 7200, 10600, 15500, 20500, 54700}, 4_150_000, [2]int{500, 6000}, 0.84, 0.011, 0.03, 9},
}

var percentiles = [8]float64{0, 0.05, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99}

// Generator makes one post after another. It is not safe for several goroutines.
type Generator struct {
	opt    Options
	r      *rand.Rand
	words  []string
	common *rand.Zipf
	people []person
	busy   *rand.Zipf
	active []*thread // newest last
	n      int
	at     time.Time
}

type person struct {
	name, address, host string
}

// thread is a discussion that may go on.
type thread struct {
	profile *profile
	subject string
	ids     [][]string // of its last posts: References and own id
	last    string     // words to quote
	copies  []string
}

// limits of what the generator remembers.
const (
	activeThreads = 300
	rememberPosts = 24
	vocabulary    = 60_000
	authors       = 20_000
	longestRefs   = 20
)

// New begins a list.
func New(o Options) *Generator {
	g := &Generator{opt: o, r: rand.New(rand.NewPCG(o.Seed, 0x9E3779B97F4A7C15)), at: time.Date(2004, 1, 5, 8, 0, 0, 0, time.UTC)}
	g.words = makeWords(g.r, vocabulary)
	g.common = rand.NewZipf(g.r, 1.07, 4, vocabulary-1)
	g.people = makePeople(g.r, authors)
	g.busy = rand.NewZipf(g.r, 1.3, 3, authors-1)
	return g
}

// Next makes the next post; the list has no end.
func (g *Generator) Next() Message {
	g.n++
	g.at = g.at.Add(time.Duration(g.r.ExpFloat64() * float64(10*time.Minute)))
	t, answer := g.thread()
	from := g.people[g.busy.Uint64()]
	id := fmt.Sprintf("%x.%d@%s", g.r.Uint64(), g.n, from.host)
	refs := g.references(t, answer)
	subject := t.subject
	if answer && g.r.Float64() < 0.93 {
		subject = "Re: " + subject
	}
	var b strings.Builder
	size := g.size(t.profile)
	g.trace(&b, t.profile, from)
	g.fields(&b, t, from, subject)
	switch odd := g.r.IntN(100_000); {
	case odd < 100 && len(t.ids) > 0: // used twice
		own := t.ids[len(t.ids)-1]
		id = own[len(own)-1]
		fmt.Fprintf(&b, "Message-ID: <%s>\r\n", id)
	case odd < 112: // missing
	case odd < 114: // names itself
		refs = append(refs, id)
		fallthrough
	default:
		fmt.Fprintf(&b, "Message-ID: <%s>\r\n", id)
	}
	if len(refs) > 0 {
		fmt.Fprintf(&b, "In-Reply-To: <%s>\r\nReferences: <%s>\r\n", refs[len(refs)-1], strings.Join(refs, ">\r\n <"))
	}
	text := g.text(t, answer, size-b.Len())
	g.body(&b, t.profile, text, size)
	if t.ids = append(t.ids, append(refs, id)); len(t.ids) > rememberPosts {
		t.ids = t.ids[1:]
	}
	return Message{Raw: []byte(b.String()), ReceivedAt: g.at}
}

// thread chooses the discussion the next post belongs to.
func (g *Generator) thread() (t *thread, answer bool) {
	p := g.profile()
	if len(g.active) > 0 && g.r.Float64() < p.replies {
		back := min(int(g.r.ExpFloat64()*12), len(g.active)-1)
		return g.active[len(g.active)-1-back], true
	}
	t = &thread{profile: p, subject: g.title()}
	if g.active = append(g.active, t); len(g.active) > activeThreads {
		g.active = g.active[1:]
	}
	return t, g.r.Float64() < 0.03 // answers what is not here
}

func (g *Generator) profile() *profile {
	at := g.r.Float64()
	for i := range profiles {
		if at -= profiles[i].share; at < 0 {
			return &profiles[i]
		}
	}
	return &profiles[0]
}

// references hang an answer below one of the last posts, mostly the last one.
func (g *Generator) references(t *thread, answer bool) []string {
	switch {
	case !answer || g.r.Float64() < 0.04:
		return nil
	case len(t.ids) == 0 || g.r.Float64() < 0.03:
		return []string{fmt.Sprintf("%x@elsewhere.example.com", g.r.Uint64())}
	}
	at := len(t.ids) - 1
	if g.r.Float64() < 0.45 {
		at = g.r.IntN(len(t.ids))
	}
	refs := append([]string{}, t.ids[at]...)
	if len(refs) > longestRefs {
		refs = append(refs[:1:1], refs[len(refs)-longestRefs:]...)
	}
	return refs
}

// size draws from the measured sizes.
func (g *Generator) size(p *profile) int {
	u, size := g.r.Float64(), 0
	for i := len(percentiles) - 1; i >= 0; i-- {
		if u < percentiles[i] {
			continue
		}
		next, top := 1.0, float64(p.largest)
		if i+1 < len(percentiles) {
			next, top = percentiles[i+1], float64(p.sizes[i+1])
		}
		part := (u - percentiles[i]) / (next - percentiles[i])
		if i+1 == len(percentiles) {
			part *= part * part // few are that large
		}
		size = p.sizes[i] + int(part*(top-float64(p.sizes[i])))
		break
	}
	if g.opt.Largest > 0 {
		size = min(size, g.opt.Largest)
	}
	return size
}
