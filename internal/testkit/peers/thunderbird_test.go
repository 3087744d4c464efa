package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/real"
)

// bird is a Thunderbird without a screen, told what to do through Marionette,
// the port Mozilla's own tests use.
type bird struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	n    int
}

// startThunderbird runs it with a profile that has one account.
func startThunderbird(t *testing.T, l *library) *bird {
	t.Helper()
	program, dir := real.Program(t, "thunderbird"), t.TempDir()
	port, err := real.Port("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	var prefs strings.Builder
	for k, v := range map[string]any{
		"mail.accountmanager.accounts": "account1", "mail.accountmanager.defaultaccount": "account1",
		"mail.account.account1.identities": "id1", "mail.account.account1.server": "server1",
		"mail.identity.id1.fullName": "Ann", "mail.identity.id1.useremail": reader,
		"mail.server.server1.type": "imap", "mail.server.server1.hostname": l.host, "mail.server.server1.port": number(t, l.port),
		"mail.server.server1.userName": reader, "mail.server.server1.name": "lists",
		"mail.server.server1.socketType": 0, "mail.server.server1.authMethod": 3, // in the clear: it is this machine
		"mail.server.server1.login_at_startup": false, "mail.server.server1.autosync_offline_stores": false,
		"mail.server.default.autosync_offline_stores": false,
		"mail.provider.suppress_dialog_on_startup":    true, "mail.rights.version": 1, "mail.shell.checkDefaultClient": false,
		"mailnews.start_page.enabled": false, "mail.spotlight.firstRunDone": true, "mail.inappnotifications.enabled": false,
		"datareporting.policy.dataSubmissionPolicyBypassNotification": true, "toolkit.telemetry.enabled": false,
		"app.update.enabled": false, "extensions.update.enabled": false, "network.captive-portal-service.enabled": false,
		"network.connectivity-service.enabled": false, "services.settings.server": "http://127.0.0.1:9/",
		"network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9, "network.proxy.ssl": "127.0.0.1",
		"network.proxy.ssl_port": 9, // nothing outside is asked; IMAP knows no HTTP proxy
		"marionette.port":        port,
	} {
		value, _ := json.Marshal(v)
		fmt.Fprintf(&prefs, "user_pref(%q, %s);\n", k, value)
	}
	write(t, dir, "prefs.js", prefs.String())
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--headless", "--no-remote", "--profile", dir, "--marionette", "--remote-allow-system-access")
	cmd.Env = append(os.Environ(), "HOME="+dir, "MOZ_HEADLESS=1")
	cmd.WaitDelay = testkit.Patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	b := &bird{t: t}
	for deadline := time.Now().Add(2 * testkit.Patience); b.conn == nil; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			b.conn, b.r = conn, bufio.NewReader(conn)
		} else if time.Now().After(deadline) {
			t.Fatal("Thunderbird does not answer:", err)
		}
	}
	t.Cleanup(func() { _ = b.conn.Close() })
	b.receive()
	b.call("WebDriver:NewSession", map[string]any{"capabilities": map[string]any{}})
	b.call("Marionette:SetContext", map[string]any{"value": "chrome"})
	b.call("WebDriver:SetTimeouts", map[string]any{"script": testkit.Patience.Milliseconds()})
	return b
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// receive reads one message: its length, a colon, JSON.
func (b *bird) receive() (m []json.RawMessage) {
	b.t.Helper()
	_ = b.conn.SetReadDeadline(time.Now().Add(2 * testkit.Patience))
	length, err := b.r.ReadString(':')
	if err != nil {
		b.t.Fatal("Thunderbird says nothing: ", err)
	}
	body := make([]byte, number(b.t, strings.TrimSuffix(length, ":")))
	if _, err := io.ReadFull(b.r, body); err != nil {
		b.t.Fatal(err)
	}
	_ = json.Unmarshal(body, &m) // the greeting is no list
	return m
}

func (b *bird) call(name string, args map[string]any) json.RawMessage {
	b.t.Helper()
	b.n++
	body, err := json.Marshal([]any{0, b.n, name, args})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.conn, "%d:%s", len(body), body); err != nil {
		b.t.Fatal(err)
	}
	m := b.receive()
	if len(m) != 4 || string(m[2]) != "null" {
		b.t.Fatalf("%s: %s", name, m)
	}
	return m[3]
}

// do runs a function of testdata/thunderbird.js inside Thunderbird and gives
// what it returns.
func (b *bird) do(function string, args ...any) any {
	b.t.Helper()
	library, err := os.ReadFile(filepath.Join("testdata", "thunderbird.js"))
	if err != nil {
		b.t.Fatal(err)
	}
	if args == nil {
		args = []any{}
	}
	script := string(library) + `
const done = arguments[arguments.length - 1], args = [...arguments].slice(0, -1);
` + function + `(...args).then(v => done({value: v}), e => done({error: String(e)}));`
	var got struct {
		Value struct {
			Value any
			Error string
		}
	}
	if err := json.Unmarshal(b.call("WebDriver:ExecuteAsyncScript", map[string]any{"script": script, "args": args, "sandbox": "system"}), &got); err != nil {
		b.t.Fatal(err)
	}
	if got.Value.Error != "" {
		b.t.Fatalf("%s: %s", function, got.Value.Error)
	}
	return got.Value.Value
}

// TestThunderbird: a person reads, searches and marks a list in Thunderbird,
// sees a post come, and decides a held one by dragging it.
func TestThunderbird(t *testing.T) {
	t.Parallel()
	l := open(t)
	l.Add(l.list, model.RoleModerator, reader)
	b := startThunderbird(t, l)
	b.do("login", l.host, reader, l.password)

	folders, _ := json.Marshal(b.do("folders"))
	if want := `["INBOX","Lists","Lists/talk","Moderation","Moderation/talk","Moderation/talk/Approve","Moderation/talk/Discard","Moderation/talk/Pending","Moderation/talk/Reject"]`; string(folders) != want {
		t.Errorf("folders: %s", folders)
	}
	if n := b.do("messages", mailbox, l.posts); n != float64(l.posts) {
		t.Fatalf("%v messages of %d", n, l.posts)
	}
	if got, want := b.do("read", mailbox, 1), strings.TrimRight(string(l.bytes(t, 1)), "\r\n"); strings.TrimRight(got.(string), "\r\n") != want {
		t.Errorf("the first message reads\n%s\nwant\n%s", got, want)
	}

	c := testkit.DialIMAP(t, l.At.IMAP, reader, l.password)
	c.OK("SELECT " + mailbox)
	want := fmt.Sprint(len(strings.Fields(c.OK("SEARCH BODY library")[0])) - 2)
	if n := b.do("search", mailbox, "library"); fmt.Sprint(n) != want || want == "0" {
		t.Errorf("searching the text on the server finds %v, want %s", n, want)
	}

	b.do("mark", mailbox, 1)
	marked := func() bool {
		return strings.Contains(strings.Join(c.OK("SEARCH UID 1 SEEN FLAGGED KEYWORD $label1"), ""), "* SEARCH 1")
	}
	for deadline := time.Now().Add(testkit.Patience); !marked(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what was marked does not arrive:", c.OK("FETCH 1 FLAGS"))
		}
	}

	// A post comes while the folder is open.
	if r := l.Send(reader, []string{"talk@lists.example.org"}, testkit.Mail("From: "+reader, "To: talk@lists.example.org", "Subject: Fresh",
		"Message-ID: <fresh@example.org>", "Date: Mon, 05 Jan 2026 10:00:00 +0000", "", "News.")); r.Code != 250 {
		t.Fatalf("%+v", r)
	}
	b.do("comes", mailbox, "Fresh")

	// One waits, and is dragged to Approve.
	if r := l.Send("stranger@example.com", []string{"talk@lists.example.org"}, testkit.Mail("From: stranger@example.com", "To: talk@lists.example.org",
		"Subject: May I", "Message-ID: <may@example.com>", "Date: Mon, 05 Jan 2026 10:00:00 +0000", "", "May I?")); r.Code != 250 {
		t.Fatalf("%+v", r)
	}
	b.do("arrives", "Moderation/talk/Pending", "May I")
	b.do("drag", "Moderation/talk/Pending", "May I", "Moderation/talk/Approve")
	b.do("arrives", mailbox, "May I")
}
