package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestNarrowPagesDoNotScrollSideways looks at pages in a frame as wide as a phone
// with Chromium, where there is one.
func TestNarrowPagesDoNotScrollSideways(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil || testing.Short() {
		t.Skip("no chromium")
	}
	w, srv := start(t)
	w.subject = "https://example.org/" + strings.Repeat("oak", 60)
	w.posts = map[string]string{"long": "Subject: " + w.subject + "\r\n\r\n" + w.subject + "\r\n"}
	inner := srv.Config.Handler
	frames := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/frames" {
			inner.ServeHTTP(framed{rw}, r)
			return
		}
		for _, path := range []string{"/", "/list/open@lists.example.org", "/list/open@lists.example.org/search?q=oak", "/archive/open@lists.example.org/long", "/unsubscribe/good", "/catch", "/catch/7"} {
			for _, width := range []int{420, 1000} {
				fmt.Fprintf(rw, `<iframe src="%s" style="border:0;width:%dpx;height:900px" onload="let d=contentDocument.documentElement;`+
					`this.outerHTML='<p>at %d %s: '+d.scrollWidth+' of '+d.clientWidth+'.</p>'"></iframe>`, path, width, width, path)
			}
		}
	}))
	defer frames.Close()
	profile, err := os.MkdirTemp("", "narrow") // what chromium leaves running may still write there
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(profile)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	page, err := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+profile,
		"--window-size=1200,1000", "--virtual-time-budget=10000", "--dump-dom", frames.URL+"/frames").Output()
	if err != nil {
		t.Skip("chromium does not start here: ", err)
	}
	seen := regexp.MustCompile(`at (\d+ \S+): (\d+) of (\d+)\.`).FindAllStringSubmatch(string(page), -1)
	if len(seen) != 14 {
		t.Errorf("%d pages were looked at:\n%s", len(seen), page)
	}
	for _, m := range seen {
		if m[2] != m[3] {
			t.Errorf("at %s: the content is %s wide, the page %s", m[1], m[2], m[3])
		}
	}
}

// framed lets a page stand in a frame.
type framed struct{ http.ResponseWriter }

func (f framed) WriteHeader(status int) {
	f.Header().Del("Content-Security-Policy")
	f.ResponseWriter.WriteHeader(status)
}
