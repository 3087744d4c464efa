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

	"plenary/internal/testkit/real"
)

// TestNarrowPagesDoNotScrollSideways looks at pages in a frame as wide as a phone
// with Chromium.
func TestNarrowPagesDoNotScrollSideways(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	chromium := real.Program(t, "chromium")
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
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	page, err := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+profile,
		"--window-size=1200,1000", "--virtual-time-budget=10000", "--dump-dom", frames.URL+"/frames").Output()
	if err != nil {
		real.Missing(t, "a browser that starts", err)
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
