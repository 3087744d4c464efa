package message

import (
	"path/filepath"
	"strings"
	"testing"
)

// realMail gives 1,500 messages of an ordinary list, 51 MB.
func realMail(b *testing.B) (msgs [][]byte, size int64) {
	eachArchived(b, filepath.Join(corpus(b, "archives"), "usrp-users-1500.mbox.gz"), func(raw []byte) {
		msgs = append(msgs, []byte(strings.ReplaceAll(string(raw), "\n", "\r\n")))
		size += int64(len(msgs[len(msgs)-1]))
	})
	b.SetBytes(size)
	b.ReportAllocs()
	b.ResetTimer()
	return msgs, size
}

func BenchmarkParseHeader(b *testing.B) {
	msgs, _ := realMail(b)
	for b.Loop() {
		for _, raw := range msgs {
			ParseHeader(raw)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	msgs, _ := realMail(b)
	for b.Loop() {
		for _, raw := range msgs {
			Scan(raw)
		}
	}
}

func BenchmarkEnvelopeAndStructure(b *testing.B) {
	msgs, _ := realMail(b)
	for b.Loop() {
		for _, raw := range msgs {
			Envelope(ParseHeader(raw))
			Scan(raw).BodyStructure(raw)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	msgs, _ := realMail(b)
	for b.Loop() {
		for _, raw := range msgs {
			Read(raw)
		}
	}
}
