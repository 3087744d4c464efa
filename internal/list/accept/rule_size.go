package accept

import (
	"context"
	"fmt"
)

func askMaxSize(_ context.Context, c *Case) (bool, string, error) {
	limit := c.List.MaxSize
	return limit > 0 && c.Size > limit, fmt.Sprintf(
		"The message is too large for %s: %s, and at most %s are taken. Please send a link instead of the file.",
		c.List.Address(), sizeText(c.Size), sizeText(limit)), nil
}

func askHoldSize(_ context.Context, c *Case) (bool, string, error) {
	limit := c.List.HoldSize
	return limit > 0 && c.Size > limit, fmt.Sprintf(
		"The message is large: %s, and above %s a moderator looks first.", sizeText(c.Size), sizeText(limit)), nil
}

// sizeText gives a size for people, in decimal units.
func sizeText(n int64) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%d MB", n/1_000_000)
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d bytes", n)
}
