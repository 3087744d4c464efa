package message

import "strings"

// unflow joins the lines of format=flowed text (RFC 3676 4): a line that ends
// in a space goes on in the next one of the same quote depth. Quote marks stay
// in front as "> " each; space-stuffing goes.
func unflow(text string, delSp bool) string {
	var out strings.Builder
	out.Grow(len(text))
	depth, open := 0, false // of the line in work, and whether it goes on
	for _, line := range strings.SplitAfter(text, "\n") {
		if line == "" {
			continue
		}
		line = strings.TrimSuffix(line, "\n")
		d := 0
		for d < len(line) && line[d] == '>' {
			d++
		}
		line = strings.TrimPrefix(line[d:], " ")
		signature := line == "-- "
		if open && (d != depth || signature) {
			out.WriteByte('\n')
			open = false
		}
		if !open {
			for range min(d, maxQuoteMark) {
				out.WriteString("> ")
			}
		}
		depth, open = d, strings.HasSuffix(line, " ") && !signature
		if open && delSp {
			line = line[:len(line)-1]
		}
		out.WriteString(line)
		if !open {
			out.WriteByte('\n')
		}
	}
	if open {
		out.WriteByte('\n')
	}
	return out.String()
}
