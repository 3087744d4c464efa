// What TestThunderbird does inside Thunderbird: each function is given to
// Marionette with the arguments of the test.
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");

const server = () => MailServices.accounts.accounts[0].incomingServer;
const sleep = ms => new Promise(r => setTimeout(r, ms));

async function until(what, ok) {
  for (let i = 0; i < 280; i++) {
    const v = await ok();
    if (v) return v;
    await sleep(100);
  }
  throw new Error("in vain: " + what);
}

async function login(host, user, password) {
  const info = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  info.init("imap://" + host, null, "imap://" + host, user, password, "", "");
  await Services.logins.addLoginAsync(info);
  server().password = password;
}

function path(f) {
  return decodeURIComponent(f.URI.slice(server().rootFolder.URI.length + 1));
}

function folder(name) {
  return server().rootFolder.descendants.find(f => path(f) == name);
}

async function folders() {
  server().performExpand(null);
  await until("folders", () => folder("Moderation/talk/Pending"));
  return server().rootFolder.descendants.map(path).sort();
}

// opened selects a folder and waits until what goes on in it has ended.
function opened(f) {
  return new Promise((resolve, reject) => {
    f.QueryInterface(Ci.nsIMsgImapMailFolder).updateFolderWithListener(null, {
      QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]),
      OnStartRunningUrl() {},
      OnStopRunningUrl(url, status) { Components.isSuccessCode(status) ? resolve() : reject(new Error("opening: " + status)); },
    });
  });
}

async function messages(name, n) {
  const f = folder(name);
  await opened(f);
  return until(n + " messages", () => f.getTotalMessages(false) >= n && f.getTotalMessages(false));
}

function find(name, subject) {
  return [...folder(name).messages].find(h => h.mime2DecodedSubject.includes(subject));
}

// read gives a message as the server gives it.
async function read(name, uid) {
  const hdr = folder(name).GetMessageHeader(uid);
  const uri = folder(name).getUriForMsg(hdr);
  return new Promise((resolve, reject) => {
    let text = "";
    MailServices.messageServiceFromURI(uri).streamMessage(uri, {
      QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
      onStartRequest() {},
      onDataAvailable(request, stream, offset, count) {
        const s = Cc["@mozilla.org/scriptableinputstream;1"].createInstance(Ci.nsIScriptableInputStream);
        s.init(stream);
        text += s.readBytes(count);
      },
      onStopRequest(request, status) { Components.isSuccessCode(status) ? resolve(text) : reject(new Error("reading: " + status)); },
    }, null, null, false, "");
  });
}

// search looks for a word in the text, on the server.
async function search(name, word) {
  const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
  session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder(name));
  const term = session.createTerm();
  term.attrib = Ci.nsMsgSearchAttrib.Body;
  term.op = Ci.nsMsgSearchOp.Contains;
  const value = term.value;
  value.attrib = term.attrib;
  value.str = word;
  term.value = value;
  session.appendTerm(term);
  return new Promise(resolve => {
    let n = 0;
    session.registerListener({
      QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
      onSearchHit() { n++; },
      onSearchDone() { resolve(n); },
      onNewSearch() {},
    });
    session.search(null);
  });
}

async function mark(name, uid) {
  const f = folder(name), hdr = f.GetMessageHeader(uid);
  f.markMessagesRead([hdr], true);
  f.markMessagesFlagged([hdr], true);
  f.addKeywordsToMessages([hdr], "$label1");
}

async function arrives(name, subject) {
  await opened(folder(name));
  return until(subject + " in " + name, () => find(name, subject) != null);
}

// comes waits without asking: the open folder is told by IDLE.
async function comes(name, subject) {
  return until(subject + " in " + name + " by itself", () => find(name, subject) != null);
}

async function drag(from, subject, to) {
  const status = await new Promise(resolve => {
    MailServices.copy.copyMessages(folder(from), [find(from, subject)], folder(to), true, {
      QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]),
      onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; },
      onStopCopy: resolve,
    }, null, false);
  });
  if (!Components.isSuccessCode(status)) throw new Error("dragging: " + status);
}
