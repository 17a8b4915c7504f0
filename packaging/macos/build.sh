#!/bin/sh
# Kotae for macOS, from a clone to a disk image:  sh packaging/macos/build.sh
#
# NEVER RUN SO FAR: written without a Mac. The first run will find mistakes.
#
# Needs: macOS 13 or newer, Xcode's command line tools, Python 3.11 or newer from python.org (its minimum of macOS is low;
# Homebrew's is that of the machine). Makes dist/kotae-VERSION-macos-arm64.dmg on Apple silicon and …-x86_64.dmg on an
# Intel Mac: llama.cpp is compiled for the machine that this runs on, so each kind is built on its own.
#
# Signing and notarizing, both at once or neither:
#   KOTAE_SIGN_IDENTITY    "Developer ID Application: NAME (TEAM)", in the keychain
#   KOTAE_NOTARY_PROFILE   the name that `xcrun notarytool store-credentials NAME` has kept the password under
# Without them the program is signed for this machine alone (ad hoc), and Gatekeeper refuses it elsewhere.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
cd "$root"
python=${PYTHON:-python3}
identity=${KOTAE_SIGN_IDENTITY:--}
profile=${KOTAE_NOTARY_PROFILE:-}
app=dist/Kotae.app
entitlements=packaging/macos/entitlements.plist

stop() {
    printf '%s\n' "$1" >&2
    exit 1
}

[ "$(uname -s)" = Darwin ] || stop "This is for macOS."
xcode-select -p >/dev/null || stop "Install Xcode's command line tools: xcode-select --install"
[ "$identity" = - ] || [ -n "$profile" ] || stop "KOTAE_NOTARY_PROFILE is missing (xcrun notarytool store-credentials)."

# llama.cpp and Python's extension modules for the oldest macOS that Info.plist allows.
MACOSX_DEPLOYMENT_TARGET=13.0
export MACOSX_DEPLOYMENT_TARGET

sign() {
    if [ "$identity" = - ]; then
        codesign --force --sign - "$@"
    else
        codesign --force --timestamp --options runtime --sign "$identity" "$@"
    fi
}

# Sends a file to Apple and waits for the answer. Says why when it is refused.
notarize() {
    xcrun notarytool submit "$1" --keychain-profile "$profile" --wait || stop "Apple did not take $1: xcrun notarytool log"
}

# 1. dist/Kotae.app, with its names and reasons in both languages.
"$python" packaging/dev.py bundle --folder-only
[ -d "$app" ] || stop "$app was not made."
"$python" packaging/macos/bundle_info.py "$app/Contents/Resources"

# 2. From the inside out, not with --deep, which gives every part the same entitlements: libraries and helper programs
# (the longest paths first, so that what holds others comes after them), frameworks, then the app itself.
find "$app/Contents" -type f -exec sh -c 'file -b "$1" | grep -q "Mach-O"' _ {} \; -print |
    awk '{ print gsub("/", "/"), $0 }' | sort -rn | cut -d ' ' -f 2- |
    while IFS= read -r part; do
        [ "$part" = "$app/Contents/MacOS/Kotae" ] || sign "$part"
    done
find "$app/Contents" -depth -type d -name '*.framework' | while IFS= read -r framework; do
    sign "$framework"
done
sign --entitlements "$entitlements" "$app"
codesign --verify --deep --strict "$app"
"$app/Contents/MacOS/Kotae" --version

# 3. Apple's ticket for the app, kept in it, so that a Mac without a network lets it start.
if [ -n "$profile" ]; then
    ditto -c -k --keepParent "$app" build/Kotae.zip
    notarize build/Kotae.zip
    xcrun stapler staple "$app"
    rm build/Kotae.zip
fi

# 4. The disk image: the app beside a link to Applications.
version=$("$app/Contents/MacOS/Kotae" --version | awk '{ print $NF }')
image=dist/kotae-$version-macos-$(uname -m).dmg
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
ditto "$app" "$stage/Kotae.app"
ln -s /Applications "$stage/Applications"
hdiutil create -volname "Kotae $version" -srcfolder "$stage" -fs APFS -format ULFO -ov "$image"
if [ -n "$profile" ]; then
    sign "$image"
    notarize "$image"
    xcrun stapler staple "$image"
    spctl --assess --type open --context context:primary-signature "$image"
fi
(cd dist && shasum -a 256 "$(basename "$image")" >SHA256SUMS)
printf '%s\n' "$image"
