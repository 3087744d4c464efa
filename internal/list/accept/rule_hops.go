package accept

import (
	"context"
	"fmt"
)

// maxHops is the number of servers a message may have passed: RFC 5321 6.3
// wants a limit of at least 100.
const maxHops = 100

func askHops(_ context.Context, c *Case) (bool, string, error) {
	n := len(c.Header.All("Received"))
	return n > maxHops, fmt.Sprintf("The message passed %d servers on its way; it seems to go in circles.", n), nil
}
