package archive

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"plenary/internal/mail/message"
)

// Where there are no spaces a hit is marked, not all that stands around it.
func TestSnippetsWithoutSpaces(t *testing.T) {
	long := strings.Repeat("我们今天讨论城市里的树木和房屋", 12)
	thai := strings.Repeat("เมื่อวานเราไปตลาด", 12)
	for _, c := range []struct{ query, text, want string }{
		{"熊猫", long + "熊猫" + long, "<熊猫>"},
		{"大熊猫", long + "看大熊猫吃" + long, "看<大熊猫>吃"},
		{"熊", long + "看大熊猫吃" + long, "大<熊>猫"},
		{"熊猫", "熊猫", "<熊猫>"},
		{"猫", "大熊猫", "大熊<猫>"},
		{"熊猫", "看熊猫", "看<熊猫>"},
		{"ช้าง", thai + "ช้าง" + thai, "ตลาด<ช้าง>เมื่อ"},
		{"パンダ", "ﾊﾟﾝﾀﾞを見た", "<ﾊﾟﾝﾀﾞ>を見た"},
		{"한국", "대한국어", "대<한국>어"},
		{"zurich", "在Zürich看熊猫", "在<Zürich>看熊猫"},
		{"oak", "An oak, Œuvre and OAKS", "An <oak>, Œuvre"},
		{`"oak tree"`, "An oak tree", "An <oak> <tree>"},
		{"shel*", "Új shelves", "Új <shelves>"},
	} {
		q, err := Parse(c.query, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got := snippet(message.Reading{Body: c.text}, q.sought())
		got = strings.NewReplacer(MarkStart, "<", MarkEnd, ">").Replace(got)
		if !strings.Contains(got, c.want) || strings.Count(got, "<") != strings.Count(c.want, "<") || !utf8.ValidString(got) {
			t.Errorf("%s: %q, want %q", c.query, got, c.want)
		}
		if len(got) > snippetBefore+snippetAfter+20 {
			t.Errorf("%s: %d octets", c.query, len(got))
		}
	}
}

// Whatever a text is, the places of its words are within it.
func FuzzPlaces(f *testing.F) {
	for _, s := range []string{"看熊猫 oak", "ﾊﾟﾝﾀﾞ", "e\u0301熊\u0301猫", "ﬁ熊猫ﬀ", "\u1100\u1161\u11a8각", "กำ熊"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, w := range placedWords(text) {
			if w.start < 0 || w.end > len(text) || w.start >= w.end || w.firstEnd > w.end {
				t.Fatalf("%+v in %q", w, text)
			}
		}
	})
}
