package imapd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/testkit/real"
)

// imaptestGroups are all groups of imaptest's scripted tests: "" passes, else why
// an archive with personal flags has no answer. docs/imap.md has the table too.
var imaptestGroups = map[string]string{
	"fetch": "", "fetch-body": "", "fetch-body-message-rfc822": "", "fetch-body-message-rfc822-mime": "", "fetch-body-message-rfc822-x2": "",
	"fetch-body-mime": "", "fetch-bodystructure": "", "fetch-envelope": "",
	"fetch-binary-mime": "", "fetch-binary-mime-base64": "", "fetch-binary-mime-qp": "",
	"search-body": "", "search-flags": "", "search-date": "", "search-header": "", "search-sets": "", "search-partial": "", "search-addresses": "",
	"search-size": "", "esearch": "", "esearch-condstore": "",
	"sort-addresses": "", "sort-arrival": "", "sort-date": "", "sort-size": "", "sort-subject": "", "esort": "", "sort-partial": "",
	"sort-display-from": "", "sort-display-to": "",
	"thread": "", "thread2": "", "thread3": "", "thread4": "", "thread5": "", "thread6": "", "thread7": "", "thread8": "",
	"thread-orderedsubject": "", "thread-orderedsubject2": "",
	"list": "", "listext": "", "select": "", "uidvalidity": "",
	"store": "", "expunge": "", "expunge2": "", "close": "", "atoms": "", "mutf7": "", "pipeline": "", "pipeline-connections": "", "id": "", "logout": "", "nil": "",

	"append": "APPEND is refused with the address to post to", "append-binary": "APPEND is refused with the address to post to",
	"catenate": "APPEND is refused; CATENATE is not offered", "catenate-multiappend": "APPEND is refused; CATENATE is not offered",
	"multiappend": "APPEND is refused; MULTIAPPEND is not offered",
	"copy":        "COPY is refused with the address to post to",
	"move":        "MOVE is for moderators' decisions only", "uidplus": "APPEND and COPY are refused: there is no APPENDUID and no COPYUID",
	"subscribe":             "what counts as subscribed is fixed: each list that one may read",
	"uidvalidity-rename":    "a list keeps its name",
	"search-context-update": "CONTEXT=SEARCH is not offered", "search-context-update2": "CONTEXT=SEARCH is not offered",
	"search-context-update3": "CONTEXT=SEARCH is not offered",
	"notify":                 "NOTIFY is not offered", "urlauth": "URLAUTH is not offered", "urlauth2": "URLAUTH is not offered", "urlauth-binary": "URLAUTH is not offered",
}

// imaptestFit is what makes a script fit an archive of lists.
type imaptestFit struct {
	instead []string // pairs: what a script says, and what is said here
	without string   // lines that are left out, of commands with all that is expected of them
	why     string   // and why
}

var imaptestFits = map[string]imaptestFit{
	"search-body": {nil, `^ok search (text|body) (sdfghjk|xcvbn|wertyuio)$|^ok search text qwertyuiop$`,
		"words in fields nobody reads, such as X-Header, and pieces from the middle of words: TEXT and BODY find words and their beginnings (RFC 9051 6.4.4)"},
	"search-flags": {[]string{"search undeleted", "search unkeyword $$gone", "search deleted", "search keyword $$gone", "deleted flagged", "keyword $$gone flagged",
		"deleted not", "keyword $$gone not", `\deleted`, "$$gone"}, `^ok search (new|recent|old)$`,
		"\\Deleted is refused, a keyword stands for it; \\Recent is never set, RFC 9051 has it no more"},
	"select": {[]string{"* 2 recent", "* 0 recent", "messages 2 recent 2", "messages 2 recent 0"}, "", "\\Recent is never set, RFC 9051 has it no more"},
	"expunge": {nil, `^\* [13] fetch \(flags \(\\deleted\)\)$`,
		"\\Deleted is refused; posts are taken away otherwise"},
	"list": {[]string{"${sep}test4${sep}test5", "${sep}test5", "test4", "2019", "t*4", "t*9", "%4", "%9"}, `\$\{sep\}test5`,
		"below a list there are its years and nothing below them"},
	"listext": {[]string{"test2${sep}test1", "test2${sep}2011", "test7${sep}test7", "test7${sep}2017", "test8${sep}test8", "test8${sep}2018", "test8${sep}test9", "test8${sep}2019",
		"test4${sep}test52", "test4${sep}2002", "test4${sep}test5", "test4${sep}2005"}, `subscribe`,
		"what counts as subscribed is fixed; below a list there are its years"},
}

// TestImaptest plays the groups with each mailbox loaded before, and prints what
// became of each.
func TestImaptest(t *testing.T) {
	dir := real.Corpus(t, "imap", "imaptest")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	passed, groups := 0, 0
	for _, file := range files {
		group := file.Name()
		if file.IsDir() || strings.HasSuffix(group, ".mbox") {
			continue
		}
		why, known := imaptestGroups[group]
		if groups++; !known {
			t.Errorf("%s is not in the table", group)
		}
		if why != "" {
			fmt.Fprintf(&table, "%-32s not applicable: %s\n", group, why)
			continue
		}
		if t.Run(group, func(t *testing.T) { runGroup(t, dir, group) }) {
			passed++
			said := "passed"
			if fit := imaptestFits[group]; fit.why != "" {
				said += ", but for " + fit.why
			}
			fmt.Fprintf(&table, "%-32s %s\n", group, said)
		} else {
			fmt.Fprintf(&table, "%-32s FAILED\n", group)
		}
	}
	if groups != len(imaptestGroups) {
		t.Errorf("%d groups are there, the table has %d", groups, len(imaptestGroups))
	}
	t.Logf("%d of %d groups passed\n%s", passed, groups, table.String())
}

func runGroup(t *testing.T, dir, group string) {
	text, err := os.ReadFile(filepath.Join(dir, group))
	if err != nil {
		t.Fatal(err)
	}
	box, err := os.ReadFile(filepath.Join(dir, group+".mbox"))
	if err != nil {
		if box, err = os.ReadFile(filepath.Join(dir, "default.mbox")); err != nil {
			t.Fatal(err)
		}
	}
	msgs := mboxMessages(box)
	if group == "search-date" { // a date after the arrival is taken for a wrong clock: these come when they were written
		for i := range msgs {
			if at, ok := message.ParseHeader([]byte(msgs[i].raw)).Date(); ok {
				msgs[i].at = at
			}
		}
	}
	mailbox := "Lists/talk"
	if slices.Contains([]string{"mutf7", "list", "listext"}, group) { // where they make some
		mailbox = root
	}
	runScript(t, fitted(t, string(text), imaptestFits[group]), mailbox, msgs)
}

// fitted gives a script its form for an archive. Each change must change something.
func fitted(t *testing.T, text string, fit imaptestFit) string {
	for i := 0; i < len(fit.instead); i += 2 {
		if !strings.Contains(text, fit.instead[i]) {
			t.Fatalf("%q is not in the script", fit.instead[i])
		}
		text = strings.ReplaceAll(text, fit.instead[i], fit.instead[i+1])
	}
	if fit.without == "" {
		return text
	}
	without := regexp.MustCompile(fit.without)
	var lines []string
	leaving, left := false, 0
	for line := range strings.Lines(text) {
		expected := strings.HasPrefix(line, "*") || strings.HasPrefix(line, "!") || strings.HasPrefix(line, "?")
		matches := without.MatchString(strings.TrimRight(line, "\n"))
		if leaving = leaving && expected || matches && !expected; leaving || matches {
			left++
			continue
		}
		lines = append(lines, line)
	}
	if left == 0 {
		t.Fatal("nothing is left out")
	}
	return strings.Join(lines, "")
}

// script is one group at work.
type script struct {
	t     *testing.T
	addr  string
	conns map[string]*client
	vars  map[string]string
	n     int

	m      *memory
	heard  []string      // responses to what was sent in a row
	hoped  []string      // and what is expected of them
	msgs   []mboxMessage // to be appended
	doomed []int         // what was marked \Deleted, by number
}

type step struct {
	conn, want, command string
	tag                 string   // a command that is not waited for, or its outcome
	expect              []string // "* ..." and "! ..."
}

func runScript(t *testing.T, text, mailbox string, msgs []mboxMessage) {
	head, body, _ := strings.Cut(text, "\n\n")
	keys := map[string]string{}
	for _, l := range strings.Split(head, "\n") {
		k, v, _ := strings.Cut(l, ":")
		keys[k] = strings.TrimSpace(v)
	}
	m := newMemory()
	list := m.add(model.List{Local: "talk", Domain: "example.org"}, "alice@example.org")
	limit := 0
	if keys["messages"] == "all" {
		limit = 1 << 30
	} else if n, err := strconv.Atoi(keys["messages"]); err == nil {
		limit = n
	}
	for all := msgs; limit < 1<<30 && len(msgs) < limit; { // imaptest begins again at the end of the file
		msgs = append(msgs, all...)
	}
	for len(msgs) > 0 && limit > 0 {
		m.postAt(list.ID, msgs[0].raw, msgs[0].at)
		msgs, limit = msgs[1:], limit-1
	}
	_, addr := serve(t, m, func(o *Options, _ *times) { o.Archive, o.YearsFrom = shrinks{o.Archive, m}, 1 })
	s := &script{t: t, addr: addr, m: m, msgs: msgs, conns: map[string]*client{}, vars: map[string]string{"mailbox": mailbox, "user": "alice@example.org", "password": "secret"}}
	state := keys["state"]
	if state == "" {
		state = "selected"
	}
	names := []string{"1"}
	if n, err := strconv.Atoi(keys["connections"]); err == nil {
		for i := 2; i <= n; i++ {
			names = append(names, strconv.Itoa(i))
		}
	}
	for _, name := range names {
		c := dial(t, addr)
		c.exact = true
		c.line()
		if state != "nonauth" {
			c.want("LOGIN alice@example.org secret", "OK")
		}
		if state == "selected" {
			c.want("SELECT Lists/talk", "OK")
		}
		s.conns[name] = c
	}
	todo := steps(body)
	if len(todo) == 0 {
		t.Fatal("no steps")
	}
	for i, st := range todo {
		if st.tag != "" {
			s.piped(st, i+1 == len(todo) || todo[i+1].tag == "" || todo[i+1].want == "")
		} else {
			s.step(st)
		}
		if t.Failed() {
			return
		}
	}
}

type mboxMessage struct {
	raw string
	at  time.Time
}

func mboxMessages(mbox []byte) (all []mboxMessage) {
	chunks := regexp.MustCompile(`(?m)^From `).Split(string(bytes.ReplaceAll(mbox, []byte("\r\n"), []byte("\n"))), -1)[1:]
	for _, chunk := range chunks {
		from, raw, _ := strings.Cut(chunk, "\n")
		_, date, _ := strings.Cut(from, " ")
		at, err := time.Parse("Mon Jan _2 15:04:05 2006", strings.TrimSpace(date))
		if err != nil {
			at, err = time.Parse("Mon Jan _2 15:04:05 2006 -0700", strings.TrimSpace(date))
		}
		if err != nil {
			at = noon
		}
		all = append(all, mboxMessage{strings.ReplaceAll(raw, "\n", "\r\n"), at})
	}
	return all
}

var pipeLine = regexp.MustCompile(`^(?:(\d+) )?(tag\d+) (.*)$`)

var commandLine = regexp.MustCompile(`^(?:(\d+) )?(?i:(ok|no|bad|"")) (.*)$`)

func steps(body string) (all []step) {
	lines := strings.Split(body, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		for strings.HasSuffix(line, "{{{") && i+1 < len(lines) { // a literal up to }}}
			line = strings.TrimSuffix(line, "{{{")
			mark := "\x00"
			if strings.HasSuffix(line, "~") { // CR does not count
				line, mark = strings.TrimSuffix(line, "~"), "\x01"
			}
			var lit []string
			for i++; i < len(lines) && !strings.HasPrefix(lines[i], "}}}"); i++ {
				lit = append(lit, lines[i])
			}
			text := strings.Join(lit, "\r\n")
			line += fmt.Sprintf("%s%d\x00%s", mark, len(text), text) + strings.TrimPrefix(lines[i], "}}}")
		}
		switch {
		case strings.TrimSpace(line) == "" || line[0] == '#':
		case line[0] == '*' || line[0] == '!' || line[0] == '?':
			if len(all) > 0 {
				all[len(all)-1].expect = append(all[len(all)-1].expect, line)
			}
		default:
			if m := pipeLine.FindStringSubmatch(line); m != nil {
				st := step{conn: max(m[1], "1"), tag: m[2], command: m[3]}
				if slices.Contains([]string{"ok", "no", "bad"}, strings.ToLower(m[3])) {
					st.want, st.command = strings.ToUpper(m[3]), ""
				}
				all = append(all, st)
			} else if m := commandLine.FindStringSubmatch(line); m != nil && strings.HasPrefix(m[3], "[") { // the outcome of the command before
				all[len(all)-1].want = strings.ToUpper(m[2] + " " + m[3])
			} else if m := commandLine.FindStringSubmatch(line); m != nil {
				all = append(all, step{conn: max(m[1], "1"), want: strings.ToUpper(m[2]), command: m[3]})
			} else {
				all = append(all, step{conn: "1", want: "its outcome", command: line})
			}
		}
	}
	return all
}

func (s *script) step(st step) {
	c := s.conns[st.conn]
	s.n++
	tag := fmt.Sprintf("c%d", s.n)
	s.vars["tag"] = tag
	command := s.expand(st.command)
	if s.beside(command) {
		command = "NOOP"
	}
	c.send(tag + " " + command + "\r\n")
	got := c.until(tag)
	last := got[len(got)-1]
	if st.want != `""` && !strings.HasPrefix(last, tag+" "+st.want) {
		s.t.Errorf("%s\n got %q\nwant %s", command, last, st.want)
		return
	}
	for _, e := range st.expect {
		s.expect(command, e, got[:len(got)-1])
	}
}

// piped sends a command without waiting, or waits for the outcome of one; last
// says that no other outcome follows.
func (s *script) piped(st step, last bool) {
	c := s.conns[st.conn]
	s.hoped = append(s.hoped, st.expect...)
	if st.want == "" {
		command := s.expand(st.command)
		if s.beside(command) {
			command = "NOOP"
		}
		c.send(st.tag + " " + command + "\r\n")
		return
	}
	got := c.until(st.tag)
	if outcome := got[len(got)-1]; !strings.HasPrefix(outcome, st.tag+" "+st.want) {
		s.t.Errorf("%s\n got %q\nwant %s", st.tag, outcome, st.want)
	}
	s.heard = append(s.heard, got[:len(got)-1]...)
	if last {
		for _, e := range s.hoped {
			s.expect("pipelined", e, s.heard)
		}
		s.heard, s.hoped = nil, nil
	}
}

// beside does what only a mailbox of one's own can do: posts come, and are taken
// away.
func (s *script) beside(command string) bool {
	switch f := strings.Fields(command); {
	case len(f) > 0 && f[0] == "append":
		s.m.postAt(int64(len(s.m.lists)), s.msgs[0].raw, s.msgs[0].at)
		s.msgs = s.msgs[1:]
	case command == "expunge", command == "close" && s.doomed != nil:
		uids := s.m.uids(1)
		for _, n := range s.doomed {
			s.m.remove(1, uids[n-1])
		}
		s.doomed = nil
	case len(f) == 4 && f[0] == "store" && strings.EqualFold(f[3], `\deleted`):
		for n := range strings.SplitSeq(f[1], ",") {
			i, _ := strconv.Atoi(n)
			s.doomed = append(s.doomed, i)
		}
	case len(f) == 2 && f[0] == "create":
		s.create(f[1])
	case len(f) == 2 && f[0] == "delete":
		s.remove(strings.TrimPrefix(f[1], root+"/"))
	default:
		return false
	}
	return true
}

// create makes a list, or posts of a year of one.
func (s *script) create(mailbox string) {
	name, _ := decodeUTF7(strings.Trim(mailbox, `"`))
	name, year, _ := strings.Cut(strings.Trim(strings.TrimPrefix(name, root), "/"), "/")
	at := slices.IndexFunc(s.m.lists, func(l model.List) bool { return l.Local == name && l.Domain == "example.org" })
	if at < 0 && name != "" {
		at = len(s.m.lists)
		s.m.add(model.List{Local: name, Domain: "example.org"}, "alice@example.org")
	}
	if n, err := strconv.Atoi(strings.Trim(year, "/")); err == nil {
		s.m.postAt(int64(at+1), plainPost, time.Date(n, 6, 1, 0, 0, 0, 0, time.UTC))
	}
}

// remove takes a list away.
func (s *script) remove(name string) {
	for i := range s.m.lists {
		if s.m.lists[i].Local == name {
			s.m.leave(s.m.lists[i].ID, "alice@example.org")
			s.m.lists[i].Local, s.m.lists[i].Domain = "gone", "gone.example"
		}
	}
}

// expect looks for a response that fits, or that none does.
func (s *script) expect(command, e string, got []string) {
	want, _ := parseResponse(e[2:])
	found := false
	var gone []int // sequence numbers of what this command told to be gone
	for _, g := range got {
		have, _ := parseResponse(strings.TrimPrefix(g, "* "))
		if len(have) > 1 && len(want) > 1 && originalNumber.MatchString(want[0].text) { // $3: what was 3 when the command began
			n, _ := strconv.Atoi(have[0].text)
			for i := len(gone) - 1; i >= 0; i-- {
				if n >= gone[i] {
					n++
				}
			}
			if strings.EqualFold(have[1].text, "expunge") {
				k, _ := strconv.Atoi(have[0].text)
				gone = append(gone, k)
			}
			have[0].text = "$" + strconv.Itoa(n)
			if have[0].text != want[0].text {
				continue
			}
			want[0].text = have[0].text
		}
		bound := map[string]string{}
		if s.fits(want, have, bound, true) {
			found = true
			for k, v := range bound {
				s.vars[k] = v
			}
			break
		}
	}
	if found == (e[0] == '!') && e[0] != '?' {
		s.t.Errorf("%s\n got %q\nwant %q", command, got, s.expand(e))
	}
}

var originalNumber = regexp.MustCompile(`^\$\d+$`)

var variable = regexp.MustCompile(`\$(\w+|\{\w+\})`)

func (s *script) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(v string) string {
		if have, ok := s.vars[strings.Trim(v, "${}")]; ok {
			return have
		}
		return v
	})
}

// item is an atom, a string or a list of a response.
type item struct {
	text   string
	list   []item
	isList bool
	loose  bool // CR does not count
}

// parseResponse reads items; literals are as response and steps leave them.
func parseResponse(s string) (items []item, rest string) {
	for s != "" {
		switch s[0] {
		case ' ', '\n':
			s = s[1:]
		case '(':
			var sub []item
			sub, s = parseResponse(s[1:])
			items = append(items, item{list: sub, isList: true})
		case ')':
			return items, s[1:]
		case '"':
			text, after, _ := firstAString(s)
			items, s = append(items, item{text: text}), after
		case '\x00', '\x01':
			loose := s[0] == '\x01'
			length, after, _ := strings.Cut(s[1:], "\x00")
			n, _ := strconv.Atoi(length)
			items, s = append(items, item{text: after[:n], loose: loose}), after[n:]
		case '{', '~':
			m := regexp.MustCompile(`^~?\{(\d+)\}\n`).FindStringSubmatch(s)
			if m == nil {
				return append(items, item{text: s}), ""
			}
			n, _ := strconv.Atoi(m[1])
			s = s[len(m[0]):]
			items, s = append(items, item{text: s[:n]}), s[n:]
		default:
			end, depth := 0, 0
			for ; end < len(s) && (depth > 0 || s[end] != ' ' && s[end] != ')' && s[end] != '(' && s[end] != '\n'); end++ {
				switch s[end] {
				case '[':
					depth++
				case ']':
					depth--
				}
			}
			items, s = append(items, item{text: s[:end]}), s[end:]
		}
	}
	return items, ""
}

// fits compares. Items of FETCH are pairs in any order, lists of flags are in
// any order, and more than is wanted may be there; numbers of SEARCH are exact.
func (s *script) fits(want, have []item, bound map[string]string, top bool) bool {
	if top && len(want) > 0 && slices.Contains([]string{"search", "sort", "thread"}, strings.ToLower(want[0].text)) {
		if len(have) != len(want) {
			return false
		}
	}
	want = slices.DeleteFunc(slices.Clone(want), func(w item) bool { return strings.HasPrefix(w.text, "$!unordered") })
	if len(want) > len(have) {
		return false
	}
	for i := range want {
		w, h := want[i], have[i]
		if w.isList != h.isList {
			return false
		}
		switch {
		case !w.isList:
			if w.loose {
				w.text, h.text = strings.ReplaceAll(w.text, "\r", ""), strings.ReplaceAll(h.text, "\r", "")
			}
			if !s.same(w.text, h.text, bound) {
				return false
			}
		case top && i == 2 && (strings.EqualFold(want[1].text, "fetch") || strings.EqualFold(want[0].text, "status")):
			if !s.pairs(w.list, h.list, bound) {
				return false
			}
		case !s.fits(w.list, h.list, bound, false):
			return false
		}
	}
	return true
}

func (s *script) pairs(want, have []item, bound map[string]string) bool {
	for i := 0; i+1 < len(want); i += 2 {
		if !slices.ContainsFunc(indexes(len(have)), func(j int) bool {
			if j%2 == 1 || j+1 >= len(have) || !strings.EqualFold(want[i].text, have[j].text) {
				return false
			}
			w, h := want[i+1], have[j+1]
			if w.isList != h.isList {
				return false
			}
			if !w.isList {
				return s.fits(want[i+1:i+2], have[j+1:j+2], bound, false)
			}
			if strings.EqualFold(want[i].text, "flags") {
				return s.flags(w.list, h.list)
			}
			return s.fits(w.list, h.list, bound, false)
		}) {
			return false
		}
	}
	return true
}

func indexes(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func (s *script) flags(want, have []item) bool {
	for _, w := range want {
		if strings.HasPrefix(w.text, "$!unordered") {
			continue
		}
		if ban, ok := strings.CutPrefix(w.text, "$!ban="); ok {
			if slices.ContainsFunc(have, func(h item) bool { return strings.EqualFold(h.text, ban) }) {
				return false
			}
			continue
		}
		if !slices.ContainsFunc(have, func(h item) bool { return strings.EqualFold(h.text, w.text) }) {
			return false
		}
	}
	return true
}

// same compares a text that may be one variable, which takes what it meets
// first.
func (s *script) same(want, have string, bound map[string]string) bool {
	if originalNumber.MatchString(want) {
		return want == have
	}
	if name, ok := strings.CutPrefix(want, "$"); ok && regexp.MustCompile(`^\w+$`).MatchString(name) {
		if v, ok := s.vars[name]; ok {
			return strings.EqualFold(v, have)
		}
		if v, ok := bound[name]; ok {
			return strings.EqualFold(v, have)
		}
		bound[name] = have
		return true
	}
	want = s.expand(want)
	if v := variable.FindStringIndex(want); v != nil { // within a response code
		rest := len(have) - (len(want) - v[1])
		if rest < v[0] || !strings.EqualFold(want[:v[0]], have[:v[0]]) || !strings.EqualFold(want[v[1]:], have[rest:]) {
			return false
		}
		bound[strings.Trim(want[v[0]:v[1]], "${}")] = have[v[0]:rest]
		return true
	}
	return strings.EqualFold(want, have)
}
