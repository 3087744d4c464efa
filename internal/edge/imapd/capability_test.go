package imapd

import (
	"crypto/tls"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// capabilityShown is a dialogue for each capability the door may announce: what
// it stands for works. It gets a connection in the state in which it was
// announced.
var capabilityShown = map[string]func(t *testing.T, c *client){
	"IMAP4rev1": func(t *testing.T, c *client) { c.want("NOOP", "OK") },
	"IMAP4rev2": func(t *testing.T, c *client) {
		if !c.in() {
			c.want("NOOP", "OK")
			return
		}
		c.says("ENABLE IMAP4rev2", "* ENABLED IMAP4rev2")
		c.want("SELECT Lists/talk", "OK")
		c.says("SEARCH ALL", `* ESEARCH (TAG "t") ALL 1:3`)
	},
	"LITERAL+": func(t *testing.T, c *client) { // LITERAL- is what of it is short (RFC 7888 4)
		if !c.in() {
			c.want("LOGIN {17+}\r\nalice@example.org {5+}\r\nwrong", "NO")
			return
		}
		c.says("STATUS {10+}\r\nLists/talk (MESSAGES)", "* STATUS \"Lists/talk\" (MESSAGES 3)")
	},
	"SASL-IR": func(t *testing.T, c *client) {
		if !c.in() {
			c.want("AUTHENTICATE ANONYMOUS =", "OK")
		}
	},
	"ID": func(t *testing.T, c *client) { c.says(`ID ("name" "test")`, `* ID ("name" "Plenary")`) },
	"STARTTLS": func(t *testing.T, c *client) {
		c.want("STARTTLS", "OK")
		under := dialled(t, tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true}))
		under.want("LOGIN alice@example.org secret", "OK")
	},
	"LOGINDISABLED": func(t *testing.T, c *client) {
		c.want("LOGIN alice@example.org secret", "NO [PRIVACYREQUIRED]")
		c.want("AUTHENTICATE PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00alice@example.org\x00secret")), "NO [PRIVACYREQUIRED]")
	},
	"AUTH=PLAIN": func(t *testing.T, c *client) {
		c.want("AUTHENTICATE PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00alice@example.org\x00secret")), "OK")
	},
	"AUTH=LOGIN": func(t *testing.T, c *client) {
		c.send("a AUTHENTICATE LOGIN\r\n")
		for _, answer := range []string{"alice@example.org", "secret"} {
			if s := c.line(); !strings.HasPrefix(s, "+ ") {
				t.Fatal(s)
			}
			c.send(base64.StdEncoding.EncodeToString([]byte(answer)) + "\r\n")
		}
		if s := c.line(); !strings.HasPrefix(s, "a OK") {
			t.Fatal(s)
		}
	},
	"AUTH=ANONYMOUS": func(t *testing.T, c *client) {
		c.want("AUTHENTICATE ANONYMOUS "+base64.StdEncoding.EncodeToString([]byte("somebody")), "OK")
		c.want("EXAMINE Lists/news", "OK")
	},
	"BINARY": func(t *testing.T, c *client) {
		c.want("EXAMINE Lists/talk", "OK")
		c.says("FETCH 2 BINARY.SIZE[1]", "* 2 FETCH (BINARY.SIZE[1] ...)")
		c.says("FETCH 2 BINARY.PEEK[1]", "* 2 FETCH (BINARY[1] ...Schön...)")
	},
	"CHILDREN": func(t *testing.T, c *client) {
		c.says(`LIST "" %`, `* LIST (\HasNoChildren) "/" INBOX`, `* LIST (\Noselect \HasChildren) "/" "Lists"...`)
	},
	"COMPRESS=DEFLATE": func(t *testing.T, c *client) {
		c.pack()
		c.want("NOOP", "OK")
		if got := c.want("CAPABILITY", "OK")[0]; strings.Contains(got, "COMPRESS") {
			t.Error("still offered:", got)
		}
		c.want("COMPRESS DEFLATE", "NO [COMPRESSIONACTIVE]")
	},
	"CONDSTORE": func(t *testing.T, c *client) {
		c.says("ENABLE CONDSTORE", "* ENABLED CONDSTORE")
		c.want("SELECT Lists/talk (CONDSTORE)", "OK")
		c.says("FETCH 3 (FLAGS) (CHANGEDSINCE 3)", `* 3 FETCH (FLAGS () MODSEQ (4))`)
		c.want("STORE 1:3 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Seen)", "OK [MODIFIED 3]")
		c.says("STATUS Lists/talk (HIGHESTMODSEQ)", `* STATUS "Lists/talk" (HIGHESTMODSEQ 5)`)
		c.says("SEARCH MODSEQ 5", "* SEARCH 1 2 (MODSEQ 5)")
	},
	"QRESYNC": func(t *testing.T, c *client) {
		c.says("ENABLE QRESYNC", "* ENABLED QRESYNC")
		c.says("SELECT Lists/talk (QRESYNC (1001 3))", `...* OK [PERMANENTFLAGS ...`, "* 3 FETCH (UID 3 FLAGS () MODSEQ (4))")
	},
	"ENABLE": func(t *testing.T, c *client) {
		c.enter()
		c.says("ENABLE UTF8=ACCEPT X-NOTHING", "* ENABLED UTF8=ACCEPT")
	},
	"ESEARCH": func(t *testing.T, c *client) {
		c.want("EXAMINE Lists/talk", "OK")
		c.says("UID SEARCH RETURN (MIN MAX COUNT ALL) ALL", `* ESEARCH (TAG "t") UID MIN 1 MAX 3 ALL 1:3 COUNT 3`)
	},
	"ESORT": func(t *testing.T, c *client) {
		c.want("EXAMINE Lists/talk", "OK")
		c.says("SORT RETURN (MIN COUNT) (REVERSE ARRIVAL) UTF-8 ALL", `* ESEARCH (TAG "t") MIN 3 COUNT 3`)
	},
	"IDLE": func(t *testing.T, c *client) {
		c.enter()
		c.want("EXAMINE Lists/news", "OK")
		c.send("a IDLE\r\n")
		if s := c.line(); !strings.HasPrefix(s, "+") {
			t.Fatal(s)
		}
		c.send("DONE\r\n")
		c.until("a")
	},
	"LIST-EXTENDED": func(t *testing.T, c *client) {
		c.says(`LIST (SUBSCRIBED) "" (Lists/talk Lists/nothing) RETURN (CHILDREN)`, `* LIST (\Subscribed \HasNoChildren) "/" "Lists/talk"`)
	},
	"LIST-STATUS": func(t *testing.T, c *client) {
		c.says(`LIST "" Lists/talk RETURN (STATUS (MESSAGES UNSEEN))`, `* LIST (\HasNoChildren) "/" "Lists/talk"`,
			`* STATUS "Lists/talk" (MESSAGES 3 UNSEEN 3)`)
	},
	"MOVE": func(t *testing.T, c *client) {
		c.want("SELECT Moderation/talk/Pending", "OK")
		c.says("MOVE 1 Moderation/talk/Approve", "* 1 EXPUNGE")
	},
	"NAMESPACE": func(t *testing.T, c *client) { c.says("NAMESPACE", `* NAMESPACE (("" "/")) NIL (("Lists/" "/"))`) },
	"PARTIAL": func(t *testing.T, c *client) {
		c.want("EXAMINE Lists/talk", "OK")
		c.says("UID SEARCH RETURN (PARTIAL -1:-2) ALL", `* ESEARCH (TAG "t") UID PARTIAL (-1:-2 2:3)`)
		c.says("UID FETCH 1:* UID (PARTIAL -1:-1)", "* 3 FETCH (UID 3)")
	},
	"SEARCHRES": func(t *testing.T, c *client) {
		c.want("EXAMINE Lists/talk", "OK")
		c.want("SEARCH RETURN (SAVE) SUBJECT shelves", "OK")
		c.says("FETCH $ UID", "* 1 FETCH (UID 1)", "* 2 FETCH (UID 2)")
	},
	"SORT": func(t *testing.T, c *client) {
		c.want("EXAMINE Lists/talk", "OK")
		c.says("UID SORT (REVERSE ARRIVAL) UTF-8 ALL", "* SORT 3 2 1")
	},
	"SORT=DISPLAY": func(t *testing.T, c *client) {
		c.want("EXAMINE Lists/talk", "OK")
		c.says("SORT (REVERSE DISPLAYFROM) UTF-8 ALL", "* SORT 3 2 1")
	},
	"SPECIAL-USE": func(t *testing.T, c *client) { // nothing here has one
		c.says(`LIST (SPECIAL-USE) "" *`)
		c.says(`LIST "" Lists/talk RETURN (SPECIAL-USE)`, `* LIST (...) "/" "Lists/talk"`)
	},
	"STATUS=SIZE": func(t *testing.T, c *client) {
		c.says("STATUS Lists/talk (SIZE)", `* STATUS "Lists/talk" (SIZE `+itoa(len(plainPost)+len(mixedPost)+len(oddPost))+`)`)
	},
	"THREAD=ORDEREDSUBJECT": func(t *testing.T, c *client) {
		c.want("EXAMINE Lists/talk", "OK")
		c.says("THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (1 2)(3)")
	},
	"THREAD=REFERENCES": func(t *testing.T, c *client) {
		c.want("EXAMINE Lists/talk", "OK")
		c.says("THREAD REFERENCES UTF-8 ALL", "* THREAD (1 2)(3)")
	},
	"UIDPLUS": func(t *testing.T, c *client) { // nothing is copied or appended: there is no COPYUID
		c.want("SELECT Lists/talk", "OK")
		c.says("UID EXPUNGE 1:*")
	},
	"UNSELECT": func(t *testing.T, c *client) {
		c.want("SELECT Lists/talk", "OK")
		c.want("UNSELECT", "OK")
		c.want("FETCH 1 UID", "BAD")
	},
	"UTF8=ACCEPT": func(t *testing.T, c *client) {
		c.says("ENABLE UTF8=ACCEPT", "* ENABLED UTF8=ACCEPT")
		c.says(`LIST "" "Lists/plauderei-ü"`, `* LIST (\HasNoChildren) "/" "Lists/plauderei-ü"`)
	},
	"WITHIN": func(t *testing.T, c *client) {
		c.want("EXAMINE Lists/talk", "OK")
		c.says("SEARCH YOUNGER 172800", "* SEARCH 2 3")
		c.says("SEARCH OLDER 172800", "* SEARCH 1")
	},
}

// enter logs in where that was not done: what is named before login is for after.
func (c *client) enter() {
	c.t.Helper()
	if !c.in() {
		c.want("AUTHENTICATE ANONYMOUS =", "OK")
	}
}

// in reports whether the connection is logged in.
func (c *client) in() bool {
	c.t.Helper()
	all := c.do("t", `LIST "" ""`)
	return strings.HasPrefix(all[len(all)-1], "t OK")
}

// says fails unless a command succeeds with these responses.
func (c *client) says(command string, want ...string) {
	c.t.Helper()
	got := c.want(command, "OK")
	if !fits(strings.Join(want, "\n"), strings.Join(got, "\n")) {
		c.t.Errorf("%s:\n got %q\nwant %q", command, got, want)
	}
}

// TestCapabilitiesAreTrue: in each state what is announced works, in the greeting,
// by CAPABILITY and after login alike, and what is not announced does not.
func TestCapabilitiesAreTrue(t *testing.T) {
	conf := certificate(t)
	shown := map[string]bool{}
	secure := func(o *Options, _ *times) { o.TLSConfig = conf }
	states := []struct {
		name string
		open func(t *testing.T) (c *client, greeting string)
		not  []string // prefixes of what must not be announced
	}{
		{"elsewhere, no TLS here", farAway(false, func(*Options, *times) {}), []string{"STARTTLS", "AUTH=PLAIN", "AUTH=LOGIN", "COMPRESS"}},
		{"elsewhere", farAway(false, secure), []string{"AUTH=PLAIN", "AUTH=LOGIN", "COMPRESS"}},
		{"elsewhere, TLS", farAway(true, secure), []string{"STARTTLS", "LOGINDISABLED", "COMPRESS"}},
		{"this machine", near(secure, false), []string{"LOGINDISABLED", "COMPRESS"}},
		{"logged in", near(secure, true), []string{"STARTTLS", "LOGINDISABLED", "AUTH="}},
		{"logged in, no mod-sequences", near(func(o *Options, _ *times) { o.Changes = nil }, true), []string{"STARTTLS", "CONDSTORE", "QRESYNC", "AUTH="}},
		{"logged in, nobody moderates", near(func(o *Options, _ *times) { o.Moderation = nil }, true), []string{"STARTTLS", "MOVE", "AUTH="}},
	}
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			c, greeting := state.open(t)
			said := strings.Fields(strings.TrimPrefix(c.want("CAPABILITY", "OK")[0], "* CAPABILITY "))
			if !strings.Contains(greeting, "[CAPABILITY "+strings.Join(said, " ")+"]") {
				t.Errorf("greeted with %q, CAPABILITY says %q", greeting, said)
			}
			for _, name := range said {
				shown[name] = true
				if slices.ContainsFunc(state.not, func(p string) bool { return strings.HasPrefix(name, p) }) {
					t.Errorf("%s is announced", name)
				}
				show := capabilityShown[name]
				if show == nil {
					t.Errorf("%s is announced, and no dialogue shows it", name)
					continue
				}
				t.Run(name, func(t *testing.T) {
					c, _ := state.open(t)
					c.t = t
					show(t, c)
				})
			}
		})
	}
	for name := range capabilityShown {
		if !shown[name] {
			t.Errorf("%s is never announced", name)
		}
	}
}

// TestWhatIsNotAnnouncedIsRefused: commands of extensions that are not offered.
func TestWhatIsNotAnnouncedIsRefused(t *testing.T) {
	_, addr := serve(t, sample(t))
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	for _, command := range []string{
		"THREAD REFS UTF-8 ALL", "SORT (DISPLAYCC) UTF-8 ALL", "GETQUOTAROOT INBOX", "SETMETADATA INBOX (/private/comment x)", "GETACL INBOX",
		"NOTIFY NONE", "UNAUTHENTICATE", "XLIST \"\" *",
		"FETCH 1 (PREVIEW)", "FETCH 1 (EMAILID)", "STARTTLS", "COMPRESS LZ4",
	} {
		c.want(command, "BAD")
	}
	for _, command := range []string{"AUTHENTICATE OAUTHBEARER abc", "AUTHENTICATE SCRAM-SHA-256 abc"} {
		out := dial(t, addr)
		out.line()
		out.want(command, "NO [CANNOT]")
	}
}

// farAway connects from elsewhere.
func farAway(implicit bool, change func(*Options, *times)) func(t *testing.T) (*client, string) {
	return func(t *testing.T) (*client, string) {
		_, addr := serveFar(t, implicit, change)
		c := dial(t, addr)
		if implicit {
			c = dialled(t, tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true}))
		}
		return c, c.line()
	}
}

// near connects from this machine; what login says is then the greeting.
func near(change func(*Options, *times), in bool) func(t *testing.T) (*client, string) {
	return func(t *testing.T) (*client, string) {
		m := sample(t)
		m.moderate(1, "alice@example.org", true)
		m.hold(1, plainPost)
		_, addr := serve(t, m, change)
		c := dial(t, addr)
		greeting := c.line()
		if in {
			all := c.do("t", "LOGIN alice@example.org secret")
			greeting = all[len(all)-1]
		}
		return c, greeting
	}
}

func itoa(n int) string { return string(appendInt(nil, int64(n))) }
