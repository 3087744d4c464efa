// Package peers holds no code: its tests let real mail programs work with the
// running program, as people do. Postfix hands mail over and takes copies back;
// mbsync, mutt, curl and Python's imaplib read the archive.
package peers
