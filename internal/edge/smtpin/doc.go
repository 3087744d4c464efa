// Package smtpin is the door for mail: SMTP on ports 25, 587 and 465, and LMTP
// over TCP or a unix socket. It speaks the protocol, keeps its limits, and
// hands whole messages to a Desk (list/intake); it decides nothing about them.
//
// # Design
//
// go-smtp is the state machine of the dialogue. It does not see the socket: it
// talks to a wire, a net.Conn of ours that
//
//   - hands it one command line per Read. go-smtp asks for more only when it
//     has answered, so a wire always knows which replies belong to which
//     command and whether a command, a message, a chunk or a SASL response
//     comes next. What go-smtp reads wrongly is answered by the wire (command.go)
//     or written anew (path.go); what it answers wrongly is put right (settle.go).
//   - owns TLS, STARTTLS included, so that all this also holds inside TLS
//     (starttls.go);
//   - owns the deadlines, below TLS: fixed for a command, rolling inside a
//     message, absolute for a connection that finishes no message (flow.go).
//     While memory is short a large message that hardly comes is ended;
//   - watches the octets of a message for lone CR and LF (vet.go) and sends
//     replies only when it is about to wait, so pipelined ones share a packet.
//
// A session (session.go, receive.go, auth.go) is the other side of go-smtp: it
// asks the desk at RCPT, gathers the message under the limits and within the
// memory that all share (budget.go), and turns the
// desk's faults and outcomes into replies by one table (reply.go). Only
// fault.Text and Outcome.Text go out, as ASCII on one line; panics behind the
// door become 451. A listener (listener.go) lets connections in up to the
// limits. All limits stand in limits.go.
//
// Over LMTP each recipient has its own reply. Over SMTP one reply stands for
// all: temporary if any outcome is temporary, because with a 250 that
// recipient's copy would be lost and the client's next try is recognised by
// its Message-ID; else 250 if anyone accepted; else the first refusal. A
// recipient named twice reaches the desk once.
//
// Shutdown stops listening, says 421 to idle clients and waits for
// transactions. A hard stop cuts connections, but a message that is with the
// desk gets ten seconds more before its context ends. A client that goes away
// never ends a Receive.
//
// # Defects of go-smtp v0.25.1 that do not reach a user
//
//	defect                                                         shown by
//	a second MAIL is accepted and keeps the earlier recipients     second-mail.dialogue
//	RCPT TO:<postmaster> is a syntax error                         paths.dialogue
//	a quoted local part arrives unquoted: parameter injection      paths.dialogue, FuzzPath
//	bare CR and LF are passed on (SMTP smuggling)                  bare.dialogue, bare-lmtp.dialogue, FuzzData
//	a last line ending CR CR LF never ends the message             bare.dialogue, starttls.dialogue, FuzzData
//	a BDAT chunk cut short by the connection's end is delivered    TestTruncatedMessageIsNotPassedOn
//	BDAT with an unusable length leaves its chunk as commands      bdat.dialogue
//	a chunk of over 2000 octets without newline is a long line     bdat-long-line.dialogue
//	a line of over 2000 octets inside DATA ends the connection     long-line.dialogue
//	a message of exactly the announced SIZE is refused             size.dialogue
//	SIZE= beyond 32 bits is a syntax error                         size.dialogue, starttls.dialogue
//	LMTP: too large is answered early, or once for all recipients  size-lmtp.dialogue
//	plain errors are shown to the peer, as permanent 554           verdicts.dialogue
//	a timeout inside a message is a permanent 554                  TestSilenceIsTemporary
//	one read deadline for the whole of DATA                        TestSlowUploadPasses
//	no absolute end                                                TestEndlessUploadIsCut, TestTrickledCommandIsCut
//	silent clients on a TLS port are kept                          TestSilentTLSClientIsCut
//	no limit for a client that does not read                       TestClientThatNeverReads
//	no limit of connections, in all or per address                 TestConnectionLimits
//	any number of failed AUTHs                                     auth-limit.dialogue
//	any number of refused RCPTs                                    TestRefusedRecipientsEndTheConnection
//	any number of NOOPs                                            TestIdleCommandsEndTheConnection
//	502 where 503 is meant, 500 for unknown parameters             order.dialogue
//	454 for what is not base64, errors of SASL shown               auth.dialogue
//	500 when it hangs up after too many errors                     helo.dialogue
//	recipients echoed, whatever they hold                          utf8.dialogue, utf8-lmtp.dialogue
//	UTF-8 in RCPT that MAIL did not ask for is taken               utf8.dialogue
//	replies of several lines with one enhanced code                TestWireText (there are none)
//	Shutdown waits for idle clients, and cuts all or nothing       TestShutdownFinishesTransactions, TestHardStopSparesTheCommit
package smtpin
