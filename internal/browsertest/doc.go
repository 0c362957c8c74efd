// Package browsertest opens pages in a real headless Chromium, for tests.
//
// [Open] starts a browser of its own for one test and gives back the context
// of a tab, in which chromedp's actions run. While the test runs, the tab is
// watched, and when the test ends it fails for
//
//   - an exception that no script caught, and whatever the console shows as an error;
//   - a request to any origin but those that the test named;
//   - what the Content-Security-Policy refused.
//
// A test that provokes such an error on purpose (a wrong token is a 401 in the
// console) says so with [Tab.Expect].
//
// The browser is the one that CHROME_BIN names, else Chromium or Chrome from
// the PATH. Without one the test fails and says how to get it. Sizes and colour
// schemes are set with [Tab.Phone] and [Tab.Dark]; [Tab.Picture] keeps what the
// page looks like in the directory that BROWSERTEST_PICTURES names, if it does.
package browsertest
