package postfix

import (
	"os/exec"
	"testing"
	"time"

	"plenary/internal/testkit/real"
)

func TestItDeliversIntoMaildirs(t *testing.T) {
	swaks := real.Program(t, "swaks")
	s := Start(t, World{LMTP: "127.0.0.1:1", Domains: []string{"lists.example.org"}, Mailboxes: []string{"b@example.com"}})
	out, err := exec.Command(swaks, "--server", s.Addr(), "--from", "a@example.net", "--to", "b@example.com", "--body", "hello").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for range 300 {
		if len(s.Mailbox("b@example.com")) == 1 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("nothing arrived")
}
