#!/bin/sh
# Kotae を自分のホームに入れる。管理者権限は要らない。 / Puts Kotae into your home folder, without root.
# Tried with dash and bash on Debian 13 only.
set -eu

help() {
    cat <<'TEXT'
使い方: sh install.sh [--prefix DIR]        Kotae を入れる、または新しい版にする
        sh install.sh --uninstall [--prefix DIR]   取り除く（会話や資料などのデータは残す）
  --prefix DIR   置き場所（ふだんは ~/.local）
前の版は一つ残ります。戻すには: ln -sfn 前の版の名前 ~/.local/lib/kotae/current

Usage:  sh install.sh [--prefix DIR]        installs or upgrades Kotae
        sh install.sh --uninstall [--prefix DIR]   removes it, and keeps your data
  --prefix DIR   where to (default: ~/.local)
The version before is kept. To go back to it: ln -sfn NAME ~/.local/lib/kotae/current
TEXT
}

# --- what is said ---

# $1 in Japanese; $2 in English too, unless the system speaks Japanese.
say() {
    printf '%s\n' "$1"
    case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in
        ja*) ;;
        *) printf '%s\n' "$2" ;;
    esac
}

stop() {
    say "$1" "$2" >&2
    exit 1
}

# As a shell reads it back.
quote() {
    printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

wrong() {
    say "$1" "$2" >&2
    help >&2
    exit 2
}

# --- what is looked at before anything is written ---

fact() {
    sed -n "s/^$1=//p" "$here/release"
}

check_package() {
    [ -f "$here/release" ] && [ -d "$here/kotae" ] && [ -d "$here/share" ] || stop \
        "install.sh の隣にプログラムがありません。アーカイブ全体を展開し、その中の install.sh を実行してください。" \
        "The program is not beside install.sh. Unpack the whole archive and run the install.sh in it."
}

check_machine() {
    machine=$(uname -m)
    [ "$machine" = "$(fact machine)" ] || stop \
        "この PC の CPU（$machine）では動きません。$machine 用のものを入手してください（これは $(fact machine) 用です）。" \
        "This is for $(fact machine), and this computer is $machine. Get the archive for $machine."
}

check_glibc() {
    wanted=$(fact glibc)
    found=$(getconf GNU_LIBC_VERSION 2>/dev/null) || found=$(ldd --version 2>/dev/null | head -n 1) || found=
    found=$(printf '%s\n' "$found" | sed -n 's/.*[^0-9.]\([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p')
    [ -n "$found" ] || stop \
        "glibc が見つかりません。glibc $wanted 以上の Linux で使ってください。" \
        "No glibc was found. Use a Linux with glibc $wanted or newer."
    [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -t . -k 1,1n -k 2,2n | head -n 1)" = "$wanted" ] || stop \
        "この Linux の glibc（$found）は古すぎます。$wanted 以上が要ります。新しい Linux で使ってください。" \
        "The glibc of this Linux ($found) is too old; $wanted or newer is needed. Use a newer Linux."
}

check_user() {
    [ -z "${SUDO_USER:-}" ] || stop \
        "sudo は要りません。付けずに実行してください：sh install.sh" \
        "No sudo is needed. Run it without: sh install.sh"
}

make_folders() {
    made=
    make_folder "$lib" && make_folder "$bin" && make_folder "$share" &&
        [ -w "$lib" ] && [ -w "$bin" ] && [ -w "$share" ] || cannot_write "$prefix"
}

cannot_write() {
    stop \
        "$1 に書き込めません。権限を確かめるか、--prefix で別の場所を指定してください。" \
        "$1 cannot be written. Check its permissions, or give another place with --prefix."
}

# Without links and doubled slashes, so that a file is in the lists by one name, however the folder was reached.
name_folders() {
    called_bin=$bin
    lib=$(real "$lib") bin=$(real "$bin") share=$(real "$share")
}

real() {
    (CDPATH='' cd -- "$1" && pwd -P)
}

# Held to the end of this script.
hold() {
    command -v flock >/dev/null || return 0
    exec 9>>"$lib/.lock"
    flock -n 9 || stop \
        "別の install.sh が動いています。終わってから、もう一度実行してください。" \
        "Another install.sh is at work. Run this again when it has ended."
}

# Remembers in `made` what was not there before, a line each, ending in a slash.
make_folder() {
    [ ! -d "$1" ] || return 0
    make_folder "$(dirname "$1")" && mkdir "$1" 2>/dev/null && made="$made$1/
"
}

check_room() {
    free=$(df -Pk "$lib" | sed -n '$s/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p')
    wanted=$(fact size_kib)
    [ -z "$free" ] || [ "$free" -gt "$wanted" ] || no_room
}

no_room() {
    stop \
        "ディスクの空きが足りません。$prefix に $(($(fact size_kib) / 1024 + 1)) MB 空けてから、もう一度実行してください。" \
        "The disk is too full. Free $(($(fact size_kib) / 1024 + 1)) MB at $prefix and run this again."
}

check_execution() {
    printf '#!/bin/sh\nexit 0\n' >"$stage/probe" || no_room
    chmod +x "$stage/probe"
    "$stage/probe" 2>/dev/null || stop \
        "$prefix ではプログラムを実行できません（noexec）。--prefix で別の場所を指定してください。" \
        "Programs cannot be run from $prefix (noexec). Give another place with --prefix."
    rm "$stage/probe"
}

check_start() {
    said=$(KOTAE_DATA_DIR="$stage/.try" "$stage/Kotae" --version 2>&1 9>&-) || stop \
        "新しい版が起動しないため、入れませんでした。前の版はそのままです。理由：$said" \
        "The new version does not start and was not installed; the one before is as it was. Reason: $said"
    rm -rf "$stage/.try"
}

# --- installing ---

install() {
    check_package
    check_user
    check_machine
    check_glibc
    make_folders
    name_folders
    hold
    clean_abandoned
    check_room
    stage=$lib/.new-$$
    mkdir "$stage"
    trap 'rm -rf "$stage"' EXIT
    trap 'exit 130' HUP INT TERM
    check_execution
    cp -RP "$here/kotae/." "$stage" || no_room
    check_start
    place_tree
    remove_older # before what may fail: each attempt would leave one more
    place_rest
    note_start
    note_libraries
}

# Of an installation that was killed.
clean_abandoned() {
    rm -rf "$lib"/.new-* "$lib"/.files-* "$lib"/.current-*
}

# A folder of its own each time: what runs from the one before is not touched, also when both are of one version.
place_tree() {
    name=$(fact version)
    count=1
    while [ -e "$lib/$name" ]; do
        count=$((count + 1))
        name=$(fact version)-$count
    done
    (cd "$stage" && find . ! -type d) >"$lib/$name.files" || no_room
    before=$(readlink "$lib/current" || true)
    mv "$stage" "$lib/$name"
    ln -sfn "$name" "$lib/.current-$$"
    mv -fT "$lib/.current-$$" "$lib/current"
}

place_rest() {
    list=$lib/.files-$$
    : >"$list"
    for script in install.sh uninstall.sh; do
        cp "$here/$script" "$lib/.$script" && mv -f "$lib/.$script" "$lib/$script"
        printf '%s\n' "$lib/$script" >>"$list"
    done
    (cd "$here/share" && find . -type f) >"$list.share"
    while IFS= read -r file; do
        target=$share/${file#./}
        folder=$(dirname "$target")
        make_folder "$folder" && [ -w "$folder" ] || cannot_write "$folder"
        case $file in
            *.desktop) write_entry <"$here/share/$file" >"$target" ;;
            *) cp "$here/share/$file" "$target" ;;
        esac
        printf '%s\n' "$target" >>"$list"
    done <"$list.share"
    rm "$list.share"
    link=$bin/kotae
    if [ ! -e "$link" ] && [ ! -L "$link" ] || [ "$(readlink "$link" || true)" = "$lib/current/Kotae" ]; then
        ln -sfn "$lib/current/Kotae" "$link"
        printf '%s\n' "$link" >>"$list"
    else
        say "$link は別のもののため、そのままにしました。" "$link is something else and was left alone."
    fi
    printf '%s\n' "$lib/.lock" "$lib/" >>"$list"
    printf '%s' "$made" | while IFS= read -r folder; do
        printf '%s/\n' "$(real "$folder")" >>"$list"
    done
    forget_gone "$list"
    mv -f "$list" "$lib/files"
    touch "$share/icons/hicolor" # desktops look at its time to notice new icons
    note_types
}

# Which program opens .gguf files. What the tools of the desktop write is theirs, and goes with the last type.
note_types() {
    [ ! -d "$share/mime/packages" ] || update-mime-database "$share/mime" >/dev/null 2>&1 || true
    [ ! -d "$share/applications" ] || update-desktop-database -q "$share/applications" >/dev/null 2>&1 || true
}

# Without any type or entry left, what those tools have written would only keep folders from being removed.
forget_types() {
    if ! ls "$share/mime/packages"/*.xml >/dev/null 2>&1 && grep -qxF -e "$share/mime/" "$lib/.gone"; then
        rm -rf "$share/mime"
    fi
    note_types
    ls "$share/applications"/*.desktop >/dev/null 2>&1 || rm -f "$share/applications/mimeinfo.cache"
}

# The entry with the program's own path. In it \ and what a shell would read are escaped once for the command and once
# for the file (Desktop Entry Specification, "The Exec key"); % is doubled.
write_entry() {
    path=$lib/current/Kotae
    command=$(printf '%s' "$path" | sed -e 's/[\\"`$]/\\&/g' -e 's/%/%%/g' -e 's/\\/\\\\/g')
    plain=$(printf '%s' "$path" | sed -e 's/\\/\\\\/g')
    while IFS= read -r line; do
        case $line in
            Exec=*) printf 'Exec="%s" %%f\n' "$command" ;;
            TryExec=*) printf 'TryExec=%s\n' "$plain" ;;
            *) printf '%s\n' "$line" ;;
        esac
    done
}

# Files of the version before that this one has no more. Folders that were made then stay ours to remove.
forget_gone() {
    [ -f "$lib/files" ] || return 0
    while IFS= read -r file; do
        case $file in
            */) printf '%s\n' "$file" >>"$1" ;;
            *) grep -qxF -e "$file" "$1" || rm -f "$file" ;;
        esac
    done <"$lib/files"
}

# One version before the current one is kept, and whatever is still running.
remove_older() {
    for list in "$lib"/*.files; do
        old=$(basename "$list" .files)
        [ "$old" != "$name" ] && [ "$old" != "$before" ] || continue
        is_running "$old" || remove_tree "$old"
    done
}

note_start() {
    if is_share_known; then
        say "Kotae $(fact version) を入れました。アプリの一覧から「Kotae（答え）」を開いてください。" \
            "Kotae $(fact version) is installed. Open “Kotae” from your applications."
        note_path
    else
        quoted=$(quote "$lib/current/Kotae")
        say "Kotae $(fact version) を入れました。アプリの一覧には出ないため、次で起動してください：$quoted" \
            "Kotae $(fact version) is installed. It is not among your applications; start it with: $quoted"
    fi
}

# Whether desktops look there for programs (XDG Base Directory Specification). Relative folders are ignored, as it asks.
is_share_known() {
    printf '%s\n' "$data_home:${XDG_DATA_DIRS:-/usr/local/share:/usr/share}" | tr : '\n' | while IFS= read -r folder; do
        case $folder in /*) real "$folder" 2>/dev/null || true ;; esac
    done | grep -qxF -e "$share"
}

note_path() {
    case :$PATH: in
        *":$bin:"* | *":$called_bin:"*) ;;
        *) say "端末の kotae コマンドは、次にログインしたときから使えます（使えなければ $bin を PATH に加えてください）。" \
            "The command kotae works after the next login (if not, add $bin to PATH)." ;;
    esac
}

note_libraries() {
    known=$( (ldconfig -p || /sbin/ldconfig -p) 2>/dev/null) || return 0
    missing=
    for pair in $(fact libraries); do
        case "$known" in *"	${pair%%:*} "*) continue ;; esac
        case "$missing " in *" ${pair#*:} "*) ;; *) missing="$missing ${pair#*:}" ;; esac
    done
    [ -z "$missing" ] || say \
        "窓を開くには、次も要ります（Debian、Ubuntu の場合）：sudo apt install$missing" \
        "The window needs these too (on Debian and Ubuntu): sudo apt install$missing"
}

# --- removing ---

# Whether a program from there runs, or has a file from there open or in its memory.
is_running() {
    QUOTING_STYLE=literal LC_ALL=C ls -l /proc/[0-9]*/exe /proc/[0-9]*/fd 2>/dev/null |
        LC_ALL=C grep -qF -e " -> $lib/$1/" && return 0
    LC_ALL=C grep -qsF -e " $lib/$1/" /proc/[0-9]*/maps
}

# What was installed there, and folders that are empty then. What somebody else has put there stays.
remove_tree() {
    (cd "$lib/$1" 2>/dev/null && tr '\n' '\0' <"$lib/$1.files" | xargs -0 rm -f --) || true
    find "$lib/$1" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    rm -f "$lib/$1.files"
}

uninstall() {
    [ -f "$lib/files" ] || stop \
        "$prefix に Kotae は入っていません。入れた場所を --prefix で指定してください。" \
        "Kotae is not installed at $prefix. Give the place with --prefix."
    lib=$(real "$lib")
    hold
    for list in "$lib"/*.files; do
        ! is_running "$(basename "$list" .files)" || stop \
            "Kotae が動いています。Kotae を閉じてから、もう一度実行してください。" \
            "Kotae is running. Close it and run this again."
    done
    for list in "$lib"/*.files; do
        remove_tree "$(basename "$list" .files)"
    done
    clean_abandoned
    sort -r "$lib/files" >"$lib/.gone" # what is inside a folder comes before it
    rm -f "$lib/current" "$lib/files"
    remove_listed <"$lib/.gone"
    say "Kotae を取り除きました。" "Kotae is removed."
    note_data
}

# Its list lies in a folder of the list: it is deleted before the folders, and stays readable until the end.
remove_listed() {
    grep -v '/$' "$lib/.gone" | tr '\n' '\0' | xargs -0 rm -f --
    forget_types
    rm -f "$lib/.gone"
    while IFS= read -r file; do
        case $file in
            */) rmdir "$file" 2>/dev/null || true ;;
        esac
    done
}

note_data() {
    data=${KOTAE_DATA_DIR:-$data_home/Kotae}
    [ -d "$data" ] || return 0
    say "会話、資料、モデルなどのデータは残っています：$data" \
        "Your data (conversations, documents, models) are still there: $data"
    quoted=$(quote "$data")
    say "データも消すときは、次を実行します（元に戻せません）：rm -r $quoted" \
        "To delete them too, for good: rm -r $quoted"
}

# --- start ---

no_prefix() {
    wrong "--prefix の置き場所がありません。" "--prefix needs a place."
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
action=install
prefix=
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) help; exit 0 ;;
        --uninstall) action=uninstall; shift ;;
        --prefix) prefix=${2:-}; [ -n "$prefix" ] || no_prefix; shift 2 ;;
        --prefix=) no_prefix ;;
        --prefix=*) prefix=${1#--prefix=}; shift ;;
        -*) wrong "知らない指定です：$1" "Unknown option: $1" ;;
        *) wrong "余分な指定です：$1（置き場所は --prefix で指定してください）" \
            "Unexpected argument: $1 (give the place with --prefix)" ;;
    esac
done

case ${HOME:-} in
    /*) ;;
    *) stop "ホームフォルダが分かりません。HOME を設定してください。" "The home folder is unknown. Set HOME." ;;
esac
case ${XDG_DATA_HOME:-} in # a relative one is ignored, as its specification asks
    /*) data_home=$XDG_DATA_HOME ;;
    *) data_home=$HOME/.local/share ;;
esac
if [ -z "$prefix" ] && [ -f "$here/files" ]; then # the copy that was installed
    prefix=${here%/lib/kotae}
fi
case $prefix in
    '') prefix=$HOME/.local; share=$data_home ;;
    /*) share=$prefix/share ;;
    *) prefix=$PWD/$prefix; share=$prefix/share ;;
esac
lib=$prefix/lib/kotae
bin=$prefix/bin

"$action"
