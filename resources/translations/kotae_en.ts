<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en_US" sourcelanguage="ja_JP">
<context>
    <name>AboutSection</name>
    <message>
        <source>Kotae と、中で使っている部品の使用条件です。</source>
        <translation>The terms of Kotae and of the parts inside it.</translation>
    </message>
    <message>
        <source>Kotae は新しい版を自分では探しません。配布元や情報システム部門から受け取ってください。</source>
        <translation>Kotae never looks for newer versions by itself. Get them from where you got Kotae, or from your IT department.</translation>
    </message>
    <message>
        <source>▲ {n} 年以上前の版です。新しい版が出ているかもしれません。</source>
        <translation>▲ This version is {n} or more years old. There may be a newer one.</translation>
    </message>
    <message>
        <source>この PC でできることと、モデルの選び方を表示します。会話や設定は変わりません。</source>
        <translation>Shows what this PC can do and how to choose a model. Conversations and settings stay as they are.</translation>
    </message>
    <message>
        <source>この版</source>
        <translation>This version</translation>
    </message>
    <message>
        <source>この版で変わったことの短い一覧です。</source>
        <translation>A short list of what has changed in this version.</translation>
    </message>
    <message>
        <source>この版の内容</source>
        <translation>In this version</translation>
    </message>
    <message>
        <source>すべてのファイル (*)</source>
        <translation>All files (*)</translation>
    </message>
    <message>
        <source>はじめの案内</source>
        <translation>Introduction</translation>
    </message>
    <message>
        <source>はじめの案内をもう一度見る</source>
        <translation>Show the introduction again</translation>
    </message>
    <message>
        <source>やめる</source>
        <translation>Stop</translation>
    </message>
    <message>
        <source>コピーして、通信できる PC のブラウザーで開いてください。Kotae からは開きません。</source>
        <translation>Copy it, and open it in a browser on a PC with a network. Kotae does not open it.</translation>
    </message>
    <message>
        <source>ソースのフォルダで、git pull のあとに python3 packaging/dev.py run を実行してください。</source>
        <translation>In the folder of the sources, run git pull and then python3 packaging/dev.py run.</translation>
    </message>
    <message>
        <source>ファイルを確かめる…</source>
        <translation>Check a file…</translation>
    </message>
    <message>
        <source>ライセンス</source>
        <translation>Licences</translation>
    </message>
    <message>
        <source>ライセンス…</source>
        <translation>Licences…</translation>
    </message>
    <message>
        <source>問い合わせのときは、この内容をお伝えください。</source>
        <translation>Mention this when you ask for help.</translation>
    </message>
    <message>
        <source>困ったとき</source>
        <translation>When something is wrong</translation>
    </message>
    <message>
        <source>報告用のファイルを作る…</source>
        <translation>Make a problem report…</translation>
    </message>
    <message>
        <source>壊れていないか、どの版かを調べます。USB メモリで受け取ったものも調べられます。入れることはしません。</source>
        <translation>Tells whether it is whole and which version it is, also one from a USB stick. Nothing is installed.</translation>
    </message>
    <message>
        <source>変更の番号</source>
        <translation>Commit</translation>
    </message>
    <message>
        <source>新しい版のファイル</source>
        <translation>File with a newer version</translation>
    </message>
    <message>
        <source>新しい版のファイルを選ぶ</source>
        <translation>Choose the file with a newer version</translation>
    </message>
    <message>
        <source>新しい版を入れるには</source>
        <translation>Installing a newer version</translation>
    </message>
    <message>
        <source>新しくなったことを見る</source>
        <translation>See what is new</translation>
    </message>
    <message>
        <source>版</source>
        <translation>Version</translation>
    </message>
    <message>
        <source>版の日付</source>
        <translation>Built on</translation>
    </message>
    <message>
        <source>記録と設定を 1 つの文書にまとめます。保存する前に全部読めます。質問や資料の内容は入らず、送信もしません。</source>
        <translation>Puts logs and settings into one text, which you can read before it is saved. It holds nothing of questions or documents, and is not sent.</translation>
    </message>
    <message>
        <source>調べています… {n} %</source>
        <translation>Checking… {n}%</translation>
    </message>
    <message>
        <source>配布元のアドレス</source>
        <translation>Address of the publisher</translation>
    </message>
    <message>
        <source>開発版</source>
        <translation>From source</translation>
    </message>
</context>
<context>
    <name>Actions</name>
    <message>
        <source>ここで終えて最良を残す</source>
        <translation>Finish and keep the best</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>一時停止</source>
        <translation>Pause</translation>
    </message>
    <message>
        <source>中止…</source>
        <translation>Abort…</translation>
    </message>
    <message>
        <source>中止する</source>
        <translation>Abort</translation>
    </message>
    <message>
        <source>学習を中止しますか</source>
        <translation>Abort this run?</translation>
    </message>
    <message>
        <source>続ける</source>
        <translation>Resume</translation>
    </message>
</context>
<context>
    <name>AddSet</name>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>ファイルから取り込む…</source>
        <translation>Import from a file…</translation>
    </message>
    <message>
        <source>会話の評価（良い・悪い）から作る…</source>
        <translation>From ratings in conversations (good, bad)…</translation>
    </message>
    <message>
        <source>取り込む質問のファイルを選ぶ</source>
        <translation>Choose a file of questions to import</translation>
    </message>
    <message>
        <source>終わると、内容を確かめる画面が開きます。まだ何も保存していません。</source>
        <translation>A window to check the content opens when it is done. Nothing is stored yet.</translation>
    </message>
    <message>
        <source>自分で書いた問い</source>
        <translation>Written by hand</translation>
    </message>
    <message>
        <source>自分で書く…</source>
        <translation>Write it yourself…</translation>
    </message>
    <message>
        <source>読み取っています</source>
        <translation>Reading</translation>
    </message>
    <message>
        <source>質問を読み取っています</source>
        <translation>Reading questions</translation>
    </message>
</context>
<context>
    <name>AddressField</name>
    <message>
        <source>▲ 「http://ホスト:ポート」の形で入れてください。</source>
        <translation>▲ Enter it as http://host:port.</translation>
    </message>
    <message>
        <source>▲ ユーザー名とパスワードは、ここには入れられません。</source>
        <translation>▲ A user name and a password cannot be entered here.</translation>
    </message>
</context>
<context>
    <name>AnswerActions</name>
    <message>
        <source>Word に書き出す</source>
        <translation>Export to Word</translation>
    </message>
    <message>
        <source>この回答のその他の操作</source>
        <translation>More actions for this answer</translation>
    </message>
    <message>
        <source>コピー</source>
        <translation>Copy</translation>
    </message>
    <message>
        <source>会話を書き出す…</source>
        <translation>Export conversations…</translation>
    </message>
    <message>
        <source>再現</source>
        <translation>Reproduce</translation>
    </message>
    <message>
        <source>再生成</source>
        <translation>Regenerate</translation>
    </message>
    <message>
        <source>出典付きコピー</source>
        <translation>Copy with sources</translation>
    </message>
    <message>
        <source>前の回答</source>
        <translation>Previous answer</translation>
    </message>
    <message>
        <source>同じモデル、設定、乱数でもう一度答え、文章が同じかを確かめます</source>
        <translation>Answers again with the same model, settings and seed, and checks that the text is the same</translation>
    </message>
    <message>
        <source>回答が終わると使えます</source>
        <translation>Available when the answer has ended</translation>
    </message>
    <message>
        <source>次の回答</source>
        <translation>Next answer</translation>
    </message>
    <message>
        <source>編集して聞き直す</source>
        <translation>Edit and ask again</translation>
    </message>
    <message>
        <source>記号を除いてコピー</source>
        <translation>Copy without markup</translation>
    </message>
    <message>
        <source>記録を見る</source>
        <translation>View log</translation>
    </message>
</context>
<context>
    <name>AnswerBox</name>
    <message>
        <source>回答 {letter}</source>
        <translation>Answer {letter}</translation>
    </message>
    <message>
        <source>（回答なし）</source>
        <translation>(no answer)</translation>
    </message>
</context>
<context>
    <name>AnswerCard</name>
    <message>
        <source>{n}／3 点</source>
        <translation>{n} of 3</translation>
    </message>
    <message>
        <source>採点の理由：{text}</source>
        <translation>The judge’s reason: {text}</translation>
    </message>
</context>
<context>
    <name>AnswerEnd</name>
    <message>
        <source>ここで停止しました</source>
        <translation>Stopped here</translation>
    </message>
    <message>
        <source>もう一度答える</source>
        <translation>Answer again</translation>
    </message>
    <message>
        <source>モデルは何も書かずに終わりました。聞き方を変えてみてください。</source>
        <translation>The model ended without writing anything. Try asking in other words.</translation>
    </message>
    <message>
        <source>回答できませんでした。質問は保存済みです。</source>
        <translation>No answer could be given. Your question is saved.</translation>
    </message>
    <message>
        <source>回答の前に Kotae が終了しました。もう一度答えられます。</source>
        <translation>Kotae ended before the answer began. You can answer again.</translation>
    </message>
    <message>
        <source>回答の途中で Kotae が終了しました。ここまでは保存済みです。</source>
        <translation>Kotae ended during the answer. What came before is saved.</translation>
    </message>
    <message>
        <source>文脈の上限に達したため、ここで終わりました。</source>
        <translation>The answer ended here because the context is full.</translation>
    </message>
    <message>
        <source>記録を見る</source>
        <translation>View log</translation>
    </message>
    <message>
        <source>長さの上限に達したため、ここで終わりました。上限はプリセットで変えられます。</source>
        <translation>The answer ended here at its length limit, which can be changed in the preset.</translation>
    </message>
</context>
<context>
    <name>AnswerFacts</name>
    <message>
        <source>Kotae の終了</source>
        <translation>Kotae ended</translation>
    </message>
    <message>
        <source>{n} トークン</source>
        <translation>{n} tokens</translation>
    </message>
    <message>
        <source>{s} 秒</source>
        <translation>{s} s</translation>
    </message>
    <message>
        <source>エラー</source>
        <translation>an error</translation>
    </message>
    <message>
        <source>・</source>
        <translation>, </translation>
    </message>
    <message>
        <source>乱数 {seed}</source>
        <translation>Seed {seed}</translation>
    </message>
    <message>
        <source>前の回答が止まったところまでは、同じ文章です。</source>
        <translation>The same text as before, up to where the earlier answer stopped.</translation>
    </message>
    <message>
        <source>前の回答と同じ文章です。</source>
        <translation>The text is the same as before.</translation>
    </message>
    <message>
        <source>前の回答と違う文章です。モデルや設定が同じでも、PC の状態で計算の順序が変わることがあります。下の ‹ › で見比べられます。</source>
        <translation>The text differs from before. Even with the same model and settings, the state of the PC can change the order of computation. Compare them with ‹ › below.</translation>
    </message>
    <message>
        <source>外部へ送信：{place}</source>
        <translation>Sent to {place}</translation>
    </message>
    <message>
        <source>文脈の上限</source>
        <translation>context limit</translation>
    </message>
    <message>
        <source>終わり：{reason}</source>
        <translation>Ended: {reason}</translation>
    </message>
    <message>
        <source>自然な終わり</source>
        <translation>by itself</translation>
    </message>
    <message>
        <source>言葉だけで検索（意味検索が間に合わず）</source>
        <translation>searched by words alone (meaning was not ready)</translation>
    </message>
    <message>
        <source>言葉と意味で検索</source>
        <translation>searched by words and meaning</translation>
    </message>
    <message>
        <source>途中で停止</source>
        <translation>stopped</translation>
    </message>
    <message>
        <source>長さの上限</source>
        <translation>length limit</translation>
    </message>
</context>
<context>
    <name>AnswerView</name>
    <message>
        <source>回答&#x3000;{time}</source>
        <translation>Answer, {time}</translation>
    </message>
</context>
<context>
    <name>AppearanceSection</name>
    <message>
        <source>OS に合わせる</source>
        <translation>Same as the system</translation>
    </message>
    <message>
        <source>「OS に合わせる」では、OS の明るさの設定に従います。</source>
        <translation>&quot;Same as the system&quot; follows the light or dark setting of the system.</translation>
    </message>
    <message>
        <source>「やさしい」では、ふだん使う設定だけを出します。「詳細」では、細かい数値と設定も出します。</source>
        <translation>&quot;Simple&quot; shows the settings one usually needs. &quot;Detailed&quot; shows finer numbers and settings too.</translation>
    </message>
    <message>
        <source>やさしい</source>
        <translation>Simple</translation>
    </message>
    <message>
        <source>テーマ</source>
        <translation>Theme</translation>
    </message>
    <message>
        <source>文字の大きさ</source>
        <translation>Text size</translation>
    </message>
    <message>
        <source>明るい</source>
        <translation>Light</translation>
    </message>
    <message>
        <source>暗い</source>
        <translation>Dark</translation>
    </message>
    <message>
        <source>次に Kotae を開いたときから変わります。</source>
        <translation>Changes the next time Kotae is opened.</translation>
    </message>
    <message>
        <source>画面全体の文字と余白が変わります。Ctrl と + または − でも変えられます。</source>
        <translation>Changes text and spacing everywhere. Ctrl with + or − does the same.</translation>
    </message>
    <message>
        <source>表示のくわしさ</source>
        <translation>Level of detail</translation>
    </message>
    <message>
        <source>言語 / Language</source>
        <translation>Language / 言語</translation>
    </message>
    <message>
        <source>詳細</source>
        <translation>Detailed</translation>
    </message>
</context>
<context>
    <name>AutoSpin</name>
    <message>
        <source>自動</source>
        <translation>Automatic</translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>BaseField</name>
    <message>
        <source>{n}B パラメータ</source>
        <translation>{n}B parameters</translation>
    </message>
    <message>
        <source>▲ 前に選んだ土台のモデル（{name}）は、もうありません。</source>
        <translation>▲ The base model chosen before ({name}) is not here any more.</translation>
    </message>
    <message>
        <source>✓ 使えます</source>
        <translation>✓ Can be used</translation>
    </message>
    <message>
        <source>フォルダを選ぶ…</source>
        <translation>Choose a folder…</translation>
    </message>
    <message>
        <source>モデルを入手する</source>
        <translation>Get a model</translation>
    </message>
    <message>
        <source>土台のモデル</source>
        <translation>Base model</translation>
    </message>
    <message>
        <source>土台のモデルのフォルダを選ぶ</source>
        <translation>Choose the base model&apos;s folder</translation>
    </message>
    <message>
        <source>学習できるモデルが、まだありません。</source>
        <translation>There is no model yet that can be fine-tuned.</translation>
    </message>
    <message>
        <source>調べています…</source>
        <translation>Looking…</translation>
    </message>
    <message>
        <source>選んでください</source>
        <translation>Choose one</translation>
    </message>
    <message>
        <source>配布元の safetensors のフォルダを土台にします</source>
        <translation>A publisher&apos;s safetensors folder becomes the base</translation>
    </message>
</context>
<context>
    <name>Batch</name>
    <message>
        <source>{line} 行目（{reason}）</source>
        <translation>row {line} ({reason})</translation>
    </message>
    <message>
        <source>{n} 行は質問にできません：{rows}。回答のファイルには、理由を付けて載せます。</source>
        <translation>{n} rows are no questions: {rows}. The answers list them with the reason.</translation>
    </message>
    <message>
        <source>{rows} ほか</source>
        <translation>{rows} and more</translation>
    </message>
    <message>
        <source>シート「{name}」</source>
        <translation>sheet {name}</translation>
    </message>
    <message>
        <source>回答できなかった質問 {n} 件</source>
        <translation>{n} could not be answered</translation>
    </message>
    <message>
        <source>文字コード {name}</source>
        <translation>encoding {name}</translation>
    </message>
    <message>
        <source>空の行 {n}</source>
        <translation>{n} empty rows</translation>
    </message>
    <message>
        <source>要確認のある回答 {n} 件</source>
        <translation>{n} with sentences to check</translation>
    </message>
    <message>
        <source>資料にありません {n} 件</source>
        <translation>{n} not in the documents</translation>
    </message>
    <message>
        <source>質問 {n} 件</source>
        <translation>{n} questions</translation>
    </message>
    <message>
        <source>質問にできない行 {n} 行</source>
        <translation>{n} rows that are no questions</translation>
    </message>
</context>
<context>
    <name>BatchPage</name>
    <message>
        <source>Excel (*.xlsx);;CSV (*.csv);;JSON Lines (*.jsonl)</source>
        <translation>Excel (*.xlsx);;CSV (*.csv);;JSON Lines (*.jsonl)</translation>
    </message>
    <message>
        <source>Excel や CSV に並べた質問に、一行ずつ順に答えます。</source>
        <translation>Answers the questions of an Excel or CSV file, row by row.</translation>
    </message>
    <message>
        <source>{a}／{b} 件で止めました。</source>
        <translation>Stopped at {a} of {b}.</translation>
    </message>
    <message>
        <source>{name} は途中です（{n} 件に回答済み）。</source>
        <translation>{name} is not finished ({n} answered).</translation>
    </message>
    <message>
        <source>{name}_回答</source>
        <translation>{name}_answers</translation>
    </message>
    <message>
        <source>{n} 件に回答しました。</source>
        <translation>{n} answered.</translation>
    </message>
    <message>
        <source>ここまでの回答は {path} にあります。</source>
        <translation>The answers so far are in {path}.</translation>
    </message>
    <message>
        <source>まとめて質問</source>
        <translation>Ask in batch</translation>
    </message>
    <message>
        <source>まとめて質問が終わりました</source>
        <translation>Asking in batch has finished</translation>
    </message>
    <message>
        <source>まとめて質問が途中で止まりました</source>
        <translation>Asking in batch has stopped before its end</translation>
    </message>
    <message>
        <source>もう一度試す</source>
        <translation>Try again</translation>
    </message>
    <message>
        <source>例：一行目に「質問」と書いた列のある .xlsx。回答には、出典と要確認の文が付きます。</source>
        <translation>For example an .xlsx whose first row says Question above a column. Answers come with sources and with what to check.</translation>
    </message>
    <message>
        <source>保存先を開く</source>
        <translation>Open folder</translation>
    </message>
    <message>
        <source>回答の保存先</source>
        <translation>Save answers to</translation>
    </message>
    <message>
        <source>続けない</source>
        <translation>Leave it</translation>
    </message>
    <message>
        <source>続ける</source>
        <translation>Go on</translation>
    </message>
    <message>
        <source>質問に戻る</source>
        <translation>Back to asking</translation>
    </message>
    <message>
        <source>質問のファイル (*.xlsx *.xlsm *.csv *.tsv *.jsonl);;すべてのファイル (*)</source>
        <translation>Files of questions (*.xlsx *.xlsm *.csv *.tsv *.jsonl);;All files (*)</translation>
    </message>
    <message>
        <source>質問のファイルを選ぶ</source>
        <translation>Choose a file of questions</translation>
    </message>
    <message>
        <source>質問：{path}</source>
        <translation>Questions: {path}</translation>
    </message>
</context>
<context>
    <name>BinList</name>
    <message>
        <source>あと {n} 日で消えます</source>
        <translation>Days left: {n}</translation>
    </message>
    <message>
        <source>まもなく消えます</source>
        <translation>Goes soon</translation>
    </message>
</context>
<context>
    <name>BinPage</name>
    <message>
        <source>{n} 件の会話を完全に削除しますか</source>
        <translation>Permanently delete {n} conversations?</translation>
    </message>
    <message>
        <source>{n} 件を選んでいます</source>
        <translation>{n} selected</translation>
    </message>
    <message>
        <source>「{title}」を完全に削除しますか</source>
        <translation>Permanently delete &quot;{title}&quot;?</translation>
    </message>
    <message>
        <source>ごみ箱</source>
        <translation>Bin</translation>
    </message>
    <message>
        <source>ごみ箱の {n} 件をすべて完全に削除しますか</source>
        <translation>Permanently delete all {n} in the bin?</translation>
    </message>
    <message>
        <source>ごみ箱の会話は、移してから早くて 30 日で消えます。</source>
        <translation>Conversations leave the bin for good after 30 days at the earliest.</translation>
    </message>
    <message>
        <source>ごみ箱は空です。削除した会話は 30 日間ここにあり、元に戻せます。</source>
        <translation>The bin is empty. Deleted conversations stay here for 30 days and can be restored.</translation>
    </message>
    <message>
        <source>ごみ箱を空にする</source>
        <translation>Empty the bin</translation>
    </message>
    <message>
        <source>ごみ箱を空にする…</source>
        <translation>Empty the bin…</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>会話を選ぶと使えます</source>
        <translation>Select conversations first</translation>
    </message>
    <message>
        <source>元に戻す</source>
        <translation>Restore</translation>
    </message>
    <message>
        <source>元に戻せません。バックアップには残り、7 日を過ぎて新しいものが 3 つそろうと消えます。</source>
        <translation>This cannot be undone. The backups keep them until 7 days have passed and there are 3 newer ones.</translation>
    </message>
    <message>
        <source>完全に削除する</source>
        <translation>Delete permanently</translation>
    </message>
    <message>
        <source>完全に削除する…</source>
        <translation>Delete permanently…</translation>
    </message>
    <message>
        <source>質問に戻る</source>
        <translation>Back to Ask</translation>
    </message>
</context>
<context>
    <name>BinView</name>
    <message>
        <source>ごみ箱の会話</source>
        <translation>Conversations in the bin</translation>
    </message>
</context>
<context>
    <name>Blind</name>
    <message>
        <source>A が良い</source>
        <translation>A is better</translation>
    </message>
    <message>
        <source>B が良い</source>
        <translation>B is better</translation>
    </message>
    <message>
        <source>{a}／{b} 問</source>
        <translation>{a} of {b}</translation>
    </message>
    <message>
        <source>{a}／{b} 問を選び終え、結果を表示済みです。</source>
        <translation>Decided: {a} of {b}. The result has been shown.</translation>
    </message>
    <message>
        <source>{a}／{b} 問を選び終えています。</source>
        <translation>Decided: {a} of {b}.</translation>
    </message>
    <message>
        <source>「{name}」のほうが多く選ばれました。</source>
        <translation>{name} was chosen more often.</translation>
    </message>
    <message>
        <source>このうち {n} 問は、構成の名前を表示したあとに選んだので、判断に入れていません。</source>
        <translation>{n} of them were chosen after the names were shown, and do not count in the verdict.</translation>
    </message>
    <message>
        <source>どちらが良いとは言い切れません。差は誤差の範囲です。</source>
        <translation>Neither is clearly better. The difference is within noise.</translation>
    </message>
    <message>
        <source>どちらも誤り</source>
        <translation>Both wrong</translation>
    </message>
    <message>
        <source>まだ {n} 問残っています。</source>
        <translation>Left to decide: {n}.</translation>
    </message>
    <message>
        <source>同じくらい</source>
        <translation>About equal</translation>
    </message>
    <message>
        <source>名前を見る前にどちらかを選んだのが {n} 問なので、判断できません（{least} 問以上が必要です）。</source>
        <translation>One of both was chosen before the names were shown in {n} questions, which decides nothing ({least} are needed).</translation>
    </message>
    <message>
        <source>名前を見る前に選べて、採点モデルの点もある問いが {n} 問しかなく、30 問に満たないため、一致（κ）は計算できません。</source>
        <translation>There is no agreement (κ): only {n} questions can be chosen before the names are shown and have the judge’s score, and 30 are needed.</translation>
    </message>
    <message>
        <source>採点モデルがないので、一致（κ）は計算できません。</source>
        <translation>There is no judge, so agreement (κ) cannot be computed.</translation>
    </message>
    <message>
        <source>採点モデルとの一致（κ）は 30 問から表示します。あと {n} 問です。</source>
        <translation>Agreement with the judge (κ) appears from 30 answers. {n} to go.</translation>
    </message>
    <message>
        <source>採点モデルとの一致（κ）は {k} です（1 は完全な一致、0 は偶然と同じ程度）。{n} 問中 {same} 問で同じ選び方でした。</source>
        <translation>Agreement with the judge (κ) is {k} (1 is full agreement, 0 no more than chance). {same} of {n} choices were the same.</translation>
    </message>
    <message>
        <source>採点モデルとは {n} 問すべてで同じ選び方でした。選び方が 1 通りなので、κ は計算できません。</source>
        <translation>You and the judge chose the same in all {n}. As there was only one kind of choice, κ cannot be computed.</translation>
    </message>
    <message>
        <source>比べる問いは {n} 問です。</source>
        <translation>Questions to compare: {n}.</translation>
    </message>
    <message>
        <source>比べる問いは {n} 問です。回答が同じ {equal} 問は除きます。</source>
        <translation>Questions to compare: {n}. Left out because both answers are the same: {equal}.</translation>
    </message>
    <message>
        <source>選ばれ方の差 {d}、95&#xa0;% 区間 {lo} 〜 {hi}。+1 は毎回「{second}」、−1 は毎回「{first}」が選ばれたことを表します。</source>
        <translation>Difference of preference {d}, 95&#xa0;% interval {lo} to {hi}. +1 means that {second} was chosen every time, −1 that {first} was.</translation>
    </message>
</context>
<context>
    <name>BlindView</name>
    <message>
        <source>ひとつ戻しました</source>
        <translation>The last choice was taken back</translation>
    </message>
    <message>
        <source>もう一度読む</source>
        <translation>Read again</translation>
    </message>
    <message>
        <source>構成が 1 つなので、比べる相手がありません。</source>
        <translation>There is one setting only, so there is nothing to compare it with.</translation>
    </message>
    <message>
        <source>読み込み中…</source>
        <translation>Loading…</translation>
    </message>
</context>
<context>
    <name>BreakdownCard</name>
    <message>
        <source>左から 0 点・1 点・2 点・3 点（採点モデルの点）</source>
        <translation>From the left: 0, 1, 2, 3 (the judge’s score)</translation>
    </message>
    <message>
        <source>左から 得点 0・0.5 未満・1 未満・1（規則で付けた得点）</source>
        <translation>From the left: 0, below 0.5, below 1, 1 (score by rules)</translation>
    </message>
    <message>
        <source>得点の内訳（{n} 問）</source>
        <translation>Scores ({n} questions)</translation>
    </message>
    <message>
        <source>得点の内訳（回答 {n} 件）</source>
        <translation>Scores ({n} answers)</translation>
    </message>
</context>
<context>
    <name>Build</name>
    <message>
        <source>GGUF に変換しています</source>
        <translation>Converting to GGUF</translation>
    </message>
    <message>
        <source>{form} に量子化しています</source>
        <translation>Quantizing to {form}</translation>
    </message>
    <message>
        <source>{form} を試しています</source>
        <translation>Trying {form}</translation>
    </message>
    <message>
        <source>アダプター</source>
        <translation>Adapter</translation>
    </message>
    <message>
        <source>アダプターを変換しています</source>
        <translation>Converting the adapter</translation>
    </message>
    <message>
        <source>アダプターを組み込んでいます</source>
        <translation>Merging the adapter</translation>
    </message>
    <message>
        <source>変換</source>
        <translation>Conversion</translation>
    </message>
    <message>
        <source>文章で重みの重要度を測っています</source>
        <translation>Measuring which weights matter to the text</translation>
    </message>
    <message>
        <source>組み込み</source>
        <translation>Merge</translation>
    </message>
    <message>
        <source>重要度</source>
        <translation>Importance</translation>
    </message>
</context>
<context>
    <name>BuildDialog</name>
    <message>
        <source>config.json と .safetensors のあるフォルダです。中のプログラムは動かしません。</source>
        <translation>A folder with config.json and .safetensors files. No program in it is run.</translation>
    </message>
    <message>
        <source>{n}B パラメータ</source>
        <translation>{n}B parameters</translation>
    </message>
    <message>
        <source>アダプターのフォルダを選ぶ</source>
        <translation>Choose the adapter&apos;s folder</translation>
    </message>
    <message>
        <source>アダプター（なくてもよい）</source>
        <translation>Adapter (optional)</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>モデルを作る</source>
        <translation>Build a model</translation>
    </message>
    <message>
        <source>ランク {n}、{m} 個の行列</source>
        <translation>rank {n}, {m} matrices</translation>
    </message>
    <message>
        <source>仕事で使う文章のファイルを渡すと、その分野の品質を保ちやすくなります。時間がかかります。</source>
        <translation>A file with text from your work helps to keep the quality in your field. It takes time.</translation>
    </message>
    <message>
        <source>作っている間に最大 {need} 使います（空き {free}）。</source>
        <translation>Takes up to {need} while it is built ({free} free).</translation>
    </message>
    <message>
        <source>作る</source>
        <translation>Build</translation>
    </message>
    <message>
        <source>作るモデル</source>
        <translation>Models to make</translation>
    </message>
    <message>
        <source>元のフォルダ</source>
        <translation>Source folder</translation>
    </message>
    <message>
        <source>元のフォルダを選ぶ</source>
        <translation>Choose the source folder</translation>
    </message>
    <message>
        <source>名前</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>学習で作った LoRA を組み込みます。</source>
        <translation>Merges a LoRA made by fine-tuning.</translation>
    </message>
    <message>
        <source>学習環境を作る</source>
        <translation>Set up the training environment</translation>
    </message>
    <message>
        <source>文章 (*.txt *.md);;すべてのファイル (*)</source>
        <translation>Text (*.txt *.md);;All files (*)</translation>
    </message>
    <message>
        <source>文章のファイルを選ぶ</source>
        <translation>Choose a text file</translation>
    </message>
    <message>
        <source>調べています…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>配布元の safetensors のフォルダから、この PC で使う形（GGUF）を作ります。</source>
        <translation>Makes what this PC can use (GGUF) from a publisher&apos;s safetensors folder.</translation>
    </message>
    <message>
        <source>重要度を測る文章（なくてもよい）</source>
        <translation>Text for the importance matrix (optional)</translation>
    </message>
</context>
<context>
    <name>BuildStrip</name>
    <message>
        <source>{n} 個のモデルを作りました。</source>
        <translation>Models built: {n}.</translation>
    </message>
    <message>
        <source>もう一度</source>
        <translation>Try again</translation>
    </message>
    <message>
        <source>モデルを作っています：{name}</source>
        <translation>Building {name}</translation>
    </message>
    <message>
        <source>モデルを作るのをやめました。</source>
        <translation>The build was stopped.</translation>
    </message>
    <message>
        <source>終わった手順の結果（{size}）は残してあります。</source>
        <translation>What was finished ({size}) is kept.</translation>
    </message>
    <message>
        <source>続きから作る</source>
        <translation>Go on building</translation>
    </message>
    <message>
        <source>途中のファイルを消しました（{size}）。</source>
        <translation>Unfinished files were deleted ({size}).</translation>
    </message>
    <message>
        <source>途中のファイルを消す</source>
        <translation>Delete unfinished files</translation>
    </message>
    <message>
        <source>（{place}）{phase}</source>
        <translation>({place}) {phase}</translation>
    </message>
</context>
<context>
    <name>Care</name>
    <message>
        <source>{names} のファイルはすでにあるので、それを使います。キットの部品は調べていません。</source>
        <translation>The files of {names} are here already and are used. The parts of the kit were not examined.</translation>
    </message>
    <message>
        <source>{names} の中身は、カタログの値と照合できません。名前と使用条件はキットに書かれていたものなので、出どころを確かめてください。</source>
        <translation>The content of {names} cannot be checked against the catalogue. Names and licences are what the kit says, so check where it comes from.</translation>
    </message>
    <message>
        <source>{name} は無傷です。</source>
        <translation>{name} is sound.</translation>
    </message>
    <message>
        <source>{n} 個のうち {m} 個に問題があります。</source>
        <translation>{m} of {n} models have a problem.</translation>
    </message>
    <message>
        <source>{n} 個のモデルは、すべて無傷です。</source>
        <translation>All models are sound ({n}).</translation>
    </message>
    <message>
        <source>{n} 個のモデルを検証しています</source>
        <translation>Verifying models: {n}</translation>
    </message>
    <message>
        <source>キットから {n} 個のモデルを取り込みました。</source>
        <translation>Models imported from the kit: {n}.</translation>
    </message>
    <message>
        <source>キットのフォルダ（manifest.json のある場所）を選ぶ</source>
        <translation>Choose the kit&apos;s folder, where manifest.json is</translation>
    </message>
    <message>
        <source>キットのモデルは、すでにあります。</source>
        <translation>The models of the kit are here already.</translation>
    </message>
    <message>
        <source>キットを作る場所（USB メモリなど）を選ぶ</source>
        <translation>Choose where to make the kit, such as a USB stick</translation>
    </message>
    <message>
        <source>キットを確かめながら取り込んでいます：{name}</source>
        <translation>Checking and importing the kit {name}</translation>
    </message>
    <message>
        <source>ファイルを検証しています：{name}</source>
        <translation>Verifying {name}</translation>
    </message>
    <message>
        <source>プリセット {n} 個</source>
        <translation>presets: {n}</translation>
    </message>
    <message>
        <source>持ち運びキットを書き出しています</source>
        <translation>Writing the transfer kit</translation>
    </message>
    <message>
        <source>見る</source>
        <translation>Show</translation>
    </message>
</context>
<context>
    <name>CategoriesCard</name>
    <message>
        <source>件数</source>
        <translation>Count</translation>
    </message>
    <message>
        <source>図で見る</source>
        <translation>Show as a chart</translation>
    </message>
    <message>
        <source>学習前</source>
        <translation>Before</translation>
    </message>
    <message>
        <source>学習後</source>
        <translation>After</translation>
    </message>
    <message>
        <source>差</source>
        <translation>Change</translation>
    </message>
    <message>
        <source>横線は 95 % 区間。右端は差</source>
        <translation>Bars are 95 % intervals. At the right, the change</translation>
    </message>
    <message>
        <source>表で見る</source>
        <translation>Show as a table</translation>
    </message>
</context>
<context>
    <name>ChatHeader</name>
    <message>
        <source>この会話だけの設定…</source>
        <translation>Settings of this conversation…</translation>
    </message>
    <message>
        <source>この会話を保存する</source>
        <translation>Save this conversation</translation>
    </message>
    <message>
        <source>その他の操作</source>
        <translation>More actions</translation>
    </message>
    <message>
        <source>まとめて質問…</source>
        <translation>Ask in batch…</translation>
    </message>
    <message>
        <source>プリセット</source>
        <translation>Preset</translation>
    </message>
    <message>
        <source>プリセットを編集…</source>
        <translation>Edit presets…</translation>
    </message>
    <message>
        <source>プリセット：{name}</source>
        <translation>Preset: {name}</translation>
    </message>
    <message>
        <source>モデル</source>
        <translation>Model</translation>
    </message>
    <message>
        <source>モデルを追加…</source>
        <translation>Add a model…</translation>
    </message>
    <message>
        <source>モデルを選ぶ</source>
        <translation>Choose a model</translation>
    </message>
    <message>
        <source>モデル：{name}</source>
        <translation>Model: {name}</translation>
    </message>
    <message>
        <source>ラベル</source>
        <translation>Label</translation>
    </message>
    <message>
        <source>一時的な会話</source>
        <translation>Temporary chat</translation>
    </message>
    <message>
        <source>会話をコピー</source>
        <translation>Copy the conversation</translation>
    </message>
    <message>
        <source>会話を書き出す…</source>
        <translation>Export conversations…</translation>
    </message>
    <message>
        <source>元のモデル：{name}</source>
        <translation>Base: {name}</translation>
    </message>
    <message>
        <source>名前を変更</source>
        <translation>Rename</translation>
    </message>
    <message>
        <source>変更あり</source>
        <translation>changed</translation>
    </message>
    <message>
        <source>学習済み</source>
        <translation>Tuned</translation>
    </message>
    <message>
        <source>新しい質問</source>
        <translation>New question</translation>
    </message>
    <message>
        <source>記録を見る</source>
        <translation>View log</translation>
    </message>
    <message>
        <source>資料のラベルより下げられません</source>
        <translation>It cannot be lower than that of its documents</translation>
    </message>
</context>
<context>
    <name>CheckList</name>
    <message>
        <source>{n}／{most}（モデルによる採点）</source>
        <translation>{n}/{most} (scored by the model)</translation>
    </message>
    <message>
        <source>{place}を見る</source>
        <translation>Show {place}</translation>
    </message>
    <message>
        <source>「{value}」は引用にありません</source>
        <translation>&quot;{value}&quot; is not in the quote</translation>
    </message>
    <message>
        <source>」「</source>
        <translation>&quot;, &quot;</translation>
    </message>
    <message>
        <source>個人情報なし</source>
        <translation>No personal data</translation>
    </message>
    <message>
        <source>品質の目安</source>
        <translation>Quality</translation>
    </message>
    <message>
        <source>数値 {n} 件は引用と一致</source>
        <translation>{n} numbers match the quote</translation>
    </message>
    <message>
        <source>数値なし</source>
        <translation>No numbers</translation>
    </message>
    <message>
        <source>文末が完結</source>
        <translation>Ends as a sentence</translation>
    </message>
    <message>
        <source>自動チェック</source>
        <translation>Checks</translation>
    </message>
    <message>
        <source>調べています…</source>
        <translation>Looking…</translation>
    </message>
    <message>
        <source>重複なし</source>
        <translation>No duplicates</translation>
    </message>
</context>
<context>
    <name>CheckStep</name>
    <message>
        <source>いまの設定では、まだ確認していません。</source>
        <translation>These settings have not been checked yet.</translation>
    </message>
    <message>
        <source>このままでは始められません（{n} 件）。</source>
        <translation>Cannot start like this ({n} to settle).</translation>
    </message>
    <message>
        <source>この設定を調べる</source>
        <translation>Check these settings</translation>
    </message>
    <message>
        <source>どの語を学習するかの例は、3 ステップ試すと表示します。</source>
        <translation>Examples of which words are learned are shown after a 3-step trial.</translation>
    </message>
    <message>
        <source>どの語を学習するかの例は、もう一度調べると表示します。</source>
        <translation>Check again to see examples of which words are learned.</translation>
    </message>
    <message>
        <source>もう一度調べる</source>
        <translation>Check again</translation>
    </message>
    <message>
        <source>データと設定を見直して、もう一度調べてください。</source>
        <translation>Look over the data and settings, then check again.</translation>
    </message>
    <message>
        <source>データと設定を調べ、時間とメモリを見積もります。数十秒から数分かかります。その間、質問に答えるモデルはメモリから外します（次の質問で読み込み直します）。</source>
        <translation>Checks the data and settings, and estimates time and memory; this takes from half a minute to a few minutes. Meanwhile the model that answers is unloaded; your next question loads it again.</translation>
    </message>
    <message>
        <source>別の PC 用の作業フォルダを作る…</source>
        <translation>Make a job folder for another PC…</translation>
    </message>
    <message>
        <source>始められます。</source>
        <translation>Ready to start.</translation>
    </message>
    <message>
        <source>始められます。注意が {n} 件あります。</source>
        <translation>Ready to start, with {n} to note.</translation>
    </message>
    <message>
        <source>学習の準備をしています</source>
        <translation>Preparing the training</translation>
    </message>
    <message>
        <source>学習を始める</source>
        <translation>Start training</translation>
    </message>
    <message>
        <source>学習環境がまだないので、時間とメモリ、ディスクだけを見積もります。すぐに終わります。</source>
        <translation>Without a training environment only time, memory and disk are estimated. That takes a moment.</translation>
    </message>
    <message>
        <source>調べています</source>
        <translation>Checking</translation>
    </message>
</context>
<context>
    <name>ChoicesForm</name>
    <message>
        <source>この会話だけの値です（プリセットでは {value}）。</source>
        <translation>For this conversation only (the preset says {value}).</translation>
    </message>
    <message>
        <source>この会話だけの文です。</source>
        <translation>For this conversation only.</translation>
    </message>
    <message>
        <source>プリセットどおり（{value}）</source>
        <translation>As the preset ({value})</translation>
    </message>
    <message>
        <source>プリセットの文を使う</source>
        <translation>Use the preset&apos;s text</translation>
    </message>
    <message>
        <source>モデルの推奨文を使う</source>
        <translation>Use what the model recommends</translation>
    </message>
    <message>
        <source>自動（{value}）</source>
        <translation>Auto ({value})</translation>
    </message>
    <message>
        <source>自動（会話と同じ）</source>
        <translation>Auto (as the conversation)</translation>
    </message>
</context>
<context>
    <name>Closing</name>
    <message>
        <source>学習は続いています。Kotae をもう一度起動すると、画面が戻ります。</source>
        <translation>Training goes on. Start Kotae again to bring the window back.</translation>
    </message>
    <message>
        <source>評価を止めています。評価のページで、続きから再開できます。</source>
        <translation>The evaluation is being stopped. It can be resumed from the page Evaluation.</translation>
    </message>
</context>
<context>
    <name>CollectionList</name>
    <message>
        <source>{n} 件</source>
        <translation>{n} items</translation>
    </message>
    <message>
        <source>要確認 {n}</source>
        <translation>{n} need attention</translation>
    </message>
    <message>
        <source>読み取り待ち {n}</source>
        <translation>{n} waiting to be read</translation>
    </message>
</context>
<context>
    <name>CollectionMenu</name>
    <message>
        <source>すべて読み直す</source>
        <translation>Read everything again</translation>
    </message>
    <message>
        <source>ファイルを追加…</source>
        <translation>Add files…</translation>
    </message>
    <message>
        <source>フォルダの変更を取り込む</source>
        <translation>Take in changes of the folders</translation>
    </message>
    <message>
        <source>フォルダを追加…</source>
        <translation>Add a folder…</translation>
    </message>
    <message>
        <source>並べ替え</source>
        <translation>Sort by</translation>
    </message>
    <message>
        <source>名前とラベルを変更…</source>
        <translation>Change name and label…</translation>
    </message>
    <message>
        <source>資料集を作る…</source>
        <translation>New collection…</translation>
    </message>
    <message>
        <source>資料集を削除</source>
        <translation>Delete collection</translation>
    </message>
</context>
<context>
    <name>CollectionView</name>
    <message>
        <source>資料集の一覧</source>
        <translation>List of collections</translation>
    </message>
</context>
<context>
    <name>ColumnForm</name>
    <message>
        <source>ファイルの最初の行は、次のとおりです。</source>
        <translation>These are the first rows of the file.</translation>
    </message>
    <message>
        <source>列「{column}」が二度選ばれています。別の列を選んでください。</source>
        <translation>The column &quot;{column}&quot; is chosen twice. Choose another one.</translation>
    </message>
    <message>
        <source>最初の行は、次のように学習します。</source>
        <translation>The first rows will be trained on like this.</translation>
    </message>
    <message>
        <source>質問と回答の列を選んでください。</source>
        <translation>Choose the columns of questions and answers.</translation>
    </message>
    <message>
        <source>（なし）</source>
        <translation>(none)</translation>
    </message>
</context>
<context>
    <name>ColumnsDialog</name>
    <message>
        <source>{name} では、列の名前から決められませんでした。</source>
        <translation>The names of the columns of {name} do not tell.</translation>
    </message>
    <message>
        <source>この列で取り込む</source>
        <translation>Import with these columns</translation>
    </message>
    <message>
        <source>どの列が質問と回答ですか</source>
        <translation>Which columns are the questions and answers?</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
</context>
<context>
    <name>ColumnsTab</name>
    <message>
        <source>▲ ファイルは取り込んだあとに変わっています。読み直すと、新しい内容になります。</source>
        <translation>▲ The file has changed since it was imported. Reading it again takes what it holds now.</translation>
    </message>
    <message>
        <source>▲ 元のファイルが見つかりません。取り込んだ行はこのまま使えます。</source>
        <translation>▲ The file cannot be found. The rows that were imported can still be used.</translation>
    </message>
    <message>
        <source>いまの行は、この対応で読んだものです。</source>
        <translation>The rows were read with these columns.</translation>
    </message>
    <message>
        <source>この対応で読み直す</source>
        <translation>Read again with these columns</translation>
    </message>
    <message>
        <source>この資料集から作った組です。列はありません。</source>
        <translation>These pairs were made from this collection. There are no columns.</translation>
    </message>
    <message>
        <source>文章から読んだので、列はありません。「Q:」「A:」や「問：」「答：」の印で組に分けています。</source>
        <translation>It was read as a text and has no columns. Marks such as Q: and A: tell the pairs apart.</translation>
    </message>
</context>
<context>
    <name>ComparisonCard</name>
    <message>
        <source>{n} 通りの比較</source>
        <translation>{n} systems compared</translation>
    </message>
    <message>
        <source>「ない」と答えた</source>
        <translation>Abstained</translation>
    </message>
    <message>
        <source>使う</source>
        <translation>Use</translation>
    </message>
    <message>
        <source>大きさ</source>
        <translation>Size</translation>
    </message>
    <message>
        <source>平均</source>
        <translation>Mean</translation>
    </message>
    <message>
        <source>引用の正しさ</source>
        <translation>Right citations</translation>
    </message>
    <message>
        <source>構成</source>
        <translation>System</translation>
    </message>
    <message>
        <source>満点</source>
        <translation>Full score</translation>
    </message>
    <message>
        <source>点の付いた回答がありません。</source>
        <translation>No answer has a score.</translation>
    </message>
    <message>
        <source>秒／問</source>
        <translation>s/question</translation>
    </message>
    <message>
        <source>結果</source>
        <translation>Results</translation>
    </message>
</context>
<context>
    <name>Composer</name>
    <message>
        <source>&#x3000;</source>
        <translation>  </translation>
    </message>
    <message>
        <source>停止</source>
        <translation>Stop</translation>
    </message>
    <message>
        <source>停止&#x3000;Esc</source>
        <translation>Stop  Esc</translation>
    </message>
    <message>
        <source>別の会話で回答しています。終わると送信できます。</source>
        <translation>Another conversation is being answered. You can send when it has ended.</translation>
    </message>
    <message>
        <source>回答が終わると送信できます。</source>
        <translation>You can send when the answer has ended.</translation>
    </message>
    <message>
        <source>改行</source>
        <translation>new line</translation>
    </message>
    <message>
        <source>続けて質問できます</source>
        <translation>Ask a follow-up</translation>
    </message>
    <message>
        <source>資料について質問してください</source>
        <translation>Ask about your documents</translation>
    </message>
    <message>
        <source>質問</source>
        <translation>Question</translation>
    </message>
    <message>
        <source>質問を入力してください</source>
        <translation>Type a question</translation>
    </message>
    <message>
        <source>質問を入力してください（保存しません）</source>
        <translation>Type a question (not saved)</translation>
    </message>
    <message>
        <source>質問を入力すると送信できます</source>
        <translation>Type a question to send it</translation>
    </message>
    <message>
        <source>送信</source>
        <translation>Send</translation>
    </message>
    <message>
        <source>長すぎるため貼り付けませんでした（{n} 文字）。質問は {max} 文字までです。</source>
        <translation>Too long to paste ({n} characters). A question may have up to {max}.</translation>
    </message>
</context>
<context>
    <name>Contents</name>
    <message>
        <source>{n} 件の結果</source>
        <translation>{n} results</translation>
    </message>
</context>
<context>
    <name>ConversationDelegate</name>
    <message>
        <source>フォルダの名前</source>
        <translation>Name of the folder</translation>
    </message>
    <message>
        <source>会話の名前</source>
        <translation>Name of the conversation</translation>
    </message>
</context>
<context>
    <name>ConversationList</name>
    <message>
        <source>ピン留め</source>
        <translation>Pinned</translation>
    </message>
    <message>
        <source>フォルダ {name}、{n} 件</source>
        <translation>Folder {name}, {n}</translation>
    </message>
    <message>
        <source>下書き</source>
        <translation>Draft</translation>
    </message>
    <message>
        <source>今日</source>
        <translation>Today</translation>
    </message>
    <message>
        <source>昨日</source>
        <translation>Yesterday</translation>
    </message>
    <message>
        <source>閉じています</source>
        <translation>Closed</translation>
    </message>
</context>
<context>
    <name>ConversationMenu</name>
    <message>
        <source>ごみ箱に移す</source>
        <translation>Move to the bin</translation>
    </message>
    <message>
        <source>ピン留めする</source>
        <translation>Pin</translation>
    </message>
    <message>
        <source>ピン留めを外す</source>
        <translation>Unpin</translation>
    </message>
    <message>
        <source>フォルダから出す</source>
        <translation>Take out of the folder</translation>
    </message>
    <message>
        <source>フォルダに移す</source>
        <translation>Move to folder</translation>
    </message>
    <message>
        <source>名前を変更</source>
        <translation>Rename</translation>
    </message>
    <message>
        <source>新しいフォルダ…</source>
        <translation>New folder…</translation>
    </message>
    <message>
        <source>書き出す…</source>
        <translation>Export…</translation>
    </message>
</context>
<context>
    <name>ConversationSettings</name>
    <message>
        <source>この会話だけの設定</source>
        <translation>Settings of this conversation</translation>
    </message>
    <message>
        <source>この会話で使う</source>
        <translation>Use in this conversation</translation>
    </message>
    <message>
        <source>プリセット</source>
        <translation>Preset</translation>
    </message>
    <message>
        <source>プリセットと違うところ：{names}</source>
        <translation>Differs from the preset: {names}</translation>
    </message>
    <message>
        <source>プリセットの値に戻す</source>
        <translation>Back to the preset</translation>
    </message>
    <message>
        <source>保存できませんでした。</source>
        <translation>It could not be saved.</translation>
    </message>
    <message>
        <source>新しいプリセットとして保存…</source>
        <translation>Save as a new preset…</translation>
    </message>
    <message>
        <source>次の回答から変わります。ほかの会話とプリセットは変わりません。</source>
        <translation>Applies from the next answer on. Other conversations and the preset do not change.</translation>
    </message>
    <message>
        <source>答え方のもとになる設定です。</source>
        <translation>The settings that answers start from.</translation>
    </message>
</context>
<context>
    <name>ConversationView</name>
    <message>
        <source>会話の一覧</source>
        <translation>Conversations</translation>
    </message>
</context>
<context>
    <name>ConversationsDialog</name>
    <message>
        <source>「良い」回答と、「悪い」回答に書いた正しい回答が、模範解答になります。</source>
        <translation>Good answers, and the right answers written for bad ones, become the reference answers.</translation>
    </message>
    <message>
        <source>わかっていること</source>
        <translation>What is known</translation>
    </message>
    <message>
        <source>会話の評価から</source>
        <translation>From conversations</translation>
    </message>
    <message>
        <source>会話の評価から {n} 問の質問集を作りますか</source>
        <translation>Make a set of {n} questions from ratings in conversations?</translation>
    </message>
    <message>
        <source>作る</source>
        <translation>Make</translation>
    </message>
    <message>
        <source>使う問い</source>
        <translation>Questions that are used</translation>
    </message>
    <message>
        <source>除いたもの</source>
        <translation>Left out</translation>
    </message>
</context>
<context>
    <name>CorrectionEditor</name>
    <message>
        <source>この回答を「悪い」と評価</source>
        <translation>Rate this answer as bad</translation>
    </message>
    <message>
        <source>保存する</source>
        <translation>Save</translation>
    </message>
    <message>
        <source>保存できませんでした。</source>
        <translation>It could not be saved.</translation>
    </message>
    <message>
        <source>文が長すぎます（{n} 文字。{limit} 文字まで）。</source>
        <translation>The text is too long ({n} characters; {limit} at most).</translation>
    </message>
    <message>
        <source>正しい回答が分かるときは、書き直してください。質問集を作るときの正解になります。書き直さずに保存すると、評価だけを残します。</source>
        <translation>If you know the right answer, correct the text. Question sets use it as the reference. Saved as it is, only the rating is kept.</translation>
    </message>
    <message>
        <source>正しい回答（任意）</source>
        <translation>Right answer (optional)</translation>
    </message>
    <message>
        <source>質問：{question}</source>
        <translation>Question: {question}</translation>
    </message>
</context>
<context>
    <name>DataSection</name>
    <message>
        <source>データの場所</source>
        <translation>Data folder</translation>
    </message>
    <message>
        <source>データの場所を開く</source>
        <translation>Open the data folder</translation>
    </message>
    <message>
        <source>バックアップ</source>
        <translation>Backups</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>会話と設定はここにだけ保存します：{path}</source>
        <translation>Conversations and settings are kept here and nowhere else: {path}</translation>
    </message>
    <message>
        <source>会話は 1 日 1 回、自動で控えを取り、新しい 7 日分を残します。</source>
        <translation>Conversations are backed up once a day. The newest seven days are kept.</translation>
    </message>
    <message>
        <source>困ったときに見る記録です。質問や回答の文章は書き込みません：{path}</source>
        <translation>For when something goes wrong. It holds no text of questions or answers: {path}</translation>
    </message>
    <message>
        <source>記録</source>
        <translation>Log</translation>
    </message>
    <message>
        <source>記録を見る</source>
        <translation>View log</translation>
    </message>
</context>
<context>
    <name>DataStep</name>
    <message>
        <source>データを替える</source>
        <translation>Change data</translation>
    </message>
    <message>
        <source>データを替える ▾</source>
        <translation>Change data ▾</translation>
    </message>
    <message>
        <source>ファイルを選ぶ…</source>
        <translation>Choose a file…</translation>
    </message>
    <message>
        <source>分割して固定する</source>
        <translation>Split and hold fast</translation>
    </message>
    <message>
        <source>分割し直す</source>
        <translation>Split again</translation>
    </message>
    <message>
        <source>分割と漏れ検査</source>
        <translation>Split and leakage</translation>
    </message>
    <message>
        <source>列の対応</source>
        <translation>Columns</translation>
    </message>
    <message>
        <source>問題のある行</source>
        <translation>Rows with problems</translation>
    </message>
    <message>
        <source>行を分けて、漏れがないか調べています</source>
        <translation>Splitting the rows and looking for leaks</translation>
    </message>
    <message>
        <source>行を取り込んでいます</source>
        <translation>Importing the rows</translation>
    </message>
    <message>
        <source>行を開いています</source>
        <translation>Opening the rows</translation>
    </message>
    <message>
        <source>見直し</source>
        <translation>Review</translation>
    </message>
    <message>
        <source>資料から作る…</source>
        <translation>Make from documents…</translation>
    </message>
    <message>
        <source>長さと分布</source>
        <translation>Lengths</translation>
    </message>
</context>
<context>
    <name>Dates</name>
    <message>
        <source>M月</source>
        <translation>MMMM</translation>
    </message>
    <message>
        <source>M月d日</source>
        <translation>MMM d</translation>
    </message>
    <message>
        <source>yyyy年M月</source>
        <translation>MMMM yyyy</translation>
    </message>
    <message>
        <source>yyyy年M月d日</source>
        <translation>MMM d, yyyy</translation>
    </message>
</context>
<context>
    <name>Deeds</name>
    <message>
        <source>{n} 件の文書を取り除きました。元のファイルは残っています。</source>
        <translation>{n} documents removed. The original files are untouched.</translation>
    </message>
    <message>
        <source>{n} 件の文書を追加しました。</source>
        <translation>{n} documents added.</translation>
    </message>
    <message>
        <source>「{name}」を取り除きました。元のファイルは残っています。</source>
        <translation>&quot;{name}&quot; removed. The original file is untouched.</translation>
    </message>
    <message>
        <source>すでにある文書 {n}</source>
        <translation>already there: {n}</translation>
    </message>
    <message>
        <source>どんな資料集を作りますか</source>
        <translation>What kind of collection?</translation>
    </message>
    <message>
        <source>作る</source>
        <translation>Create</translation>
    </message>
    <message>
        <source>取り込まなかったもの：{list}</source>
        <translation>Not taken: {list}</translation>
    </message>
    <message>
        <source>取り込んだ内容はそのまま使えます。ドライブをつないでから、もう一度更新してください。</source>
        <translation>What was read can still be used. Connect the drive and update again.</translation>
    </message>
    <message>
        <source>変わった文書はありません。</source>
        <translation>No documents have changed.</translation>
    </message>
    <message>
        <source>変更</source>
        <translation>Change</translation>
    </message>
    <message>
        <source>新しい文書 {a}&#x3000;変わった文書 {b}&#x3000;なくなった文書 {c}</source>
        <translation>New: {a}  Changed: {b}  Gone: {c}</translation>
    </message>
    <message>
        <source>更新しました。</source>
        <translation>Updated.</translation>
    </message>
    <message>
        <source>見つからないものがあります。</source>
        <translation>Some things were not found.</translation>
    </message>
    <message>
        <source>見つからない場所があります：{path}</source>
        <translation>Places not found: {path}</translation>
    </message>
    <message>
        <source>資料</source>
        <translation>Documents</translation>
    </message>
    <message>
        <source>資料集「{name}」のラベルを、機密から{label}に変えました。</source>
        <translation>The label of collection &quot;{name}&quot; was changed from Confidential to {label}.</translation>
    </message>
    <message>
        <source>資料集「{name}」を削除しました。元のファイルは残っています。</source>
        <translation>Collection &quot;{name}&quot; deleted. The original files are untouched.</translation>
    </message>
    <message>
        <source>資料集の名前とラベルを変えますか</source>
        <translation>Change name and label of the collection?</translation>
    </message>
    <message>
        <source>追加するファイルを選ぶ</source>
        <translation>Choose files to add</translation>
    </message>
    <message>
        <source>追加するフォルダを選ぶ</source>
        <translation>Choose a folder to add</translation>
    </message>
    <message>
        <source>追加できる文書はありませんでした。</source>
        <translation>There was no document that can be added.</translation>
    </message>
</context>
<context>
    <name>Dialog</name>
    <message>
        <source>Kotae</source>
        <translation>Kotae</translation>
    </message>
    <message>
        <source>バックアップから戻す</source>
        <translation>Restore the backup</translation>
    </message>
    <message>
        <source>予期しない問題が起きました。</source>
        <translation>Something unexpected happened.</translation>
    </message>
    <message>
        <source>作業は保存されています。続けて使えますが、同じことが起きるときは、報告を作って、管理者や配布元に渡してください。</source>
        <translation>Your work is saved and you can go on. If it happens again, make a report and hand it to your administrator or to whoever gave you Kotae.</translation>
    </message>
    <message>
        <source>報告を作る…</source>
        <translation>Make a report…</translation>
    </message>
    <message>
        <source>終了</source>
        <translation>Quit</translation>
    </message>
    <message>
        <source>続ける</source>
        <translation>Continue</translation>
    </message>
    <message>
        <source>記録の内容</source>
        <translation>Content of the log</translation>
    </message>
    <message>
        <source>記録を保存</source>
        <translation>Save log</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>DifferencesCard</name>
    <message>
        <source>95&#xa0;% 区間 {span}</source>
        <translation>95&#xa0;% interval {span}</translation>
    </message>
    <message>
        <source>{second} と {first}</source>
        <translation>{second} and {first}</translation>
    </message>
    <message>
        <source>判断</source>
        <translation>Verdict</translation>
    </message>
    <message>
        <source>差</source>
        <translation>Difference</translation>
    </message>
    <message>
        <source>差 {d}</source>
        <translation>Difference {d}</translation>
    </message>
    <message>
        <source>差と確からしさ</source>
        <translation>Differences and how sure they are</translation>
    </message>
    <message>
        <source>比べる組</source>
        <translation>Pair</translation>
    </message>
</context>
<context>
    <name>DocumentMenu</name>
    <message>
        <source>もう一度読む</source>
        <translation>Read again</translation>
    </message>
    <message>
        <source>フォルダで表示</source>
        <translation>Show in folder</translation>
    </message>
    <message>
        <source>取り除く</source>
        <translation>Remove</translation>
    </message>
    <message>
        <source>開く</source>
        <translation>Open</translation>
    </message>
</context>
<context>
    <name>DocumentTable</name>
    <message>
        <source>ページ</source>
        <translation>Pages</translation>
    </message>
    <message>
        <source>問題</source>
        <translation>Problem</translation>
    </message>
    <message>
        <source>文書</source>
        <translation>Document</translation>
    </message>
    <message>
        <source>状態</source>
        <translation>State</translation>
    </message>
    <message>
        <source>節</source>
        <translation>Sections</translation>
    </message>
</context>
<context>
    <name>DocumentView</name>
    <message>
        <source>列の見出し</source>
        <translation>Column headings</translation>
    </message>
    <message>
        <source>文書の一覧</source>
        <translation>List of documents</translation>
    </message>
</context>
<context>
    <name>Documents</name>
    <message>
        <source>{n} ページ</source>
        <translation>{n} pages</translation>
    </message>
    <message>
        <source>{p} %</source>
        <translation>{p} %</translation>
    </message>
    <message>
        <source>× 同じ名前の資料集があります。別の名前にしてください。</source>
        <translation>× There is a collection with this name. Choose another one.</translation>
    </message>
    <message>
        <source>× 名前を入力してください。</source>
        <translation>× Enter a name.</translation>
    </message>
    <message>
        <source>、</source>
        <translation>, </translation>
    </message>
    <message>
        <source>なし</source>
        <translation>None</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>ファイルの初めの部分</source>
        <translation>Beginning of the file</translation>
    </message>
    <message>
        <source>フォルダの外へのリンク</source>
        <translation>Links out of the folder</translation>
    </message>
    <message>
        <source>ラベル</source>
        <translation>Label</translation>
    </message>
    <message>
        <source>公開</source>
        <translation>Public</translation>
    </message>
    <message>
        <source>失敗</source>
        <translation>Failed</translation>
    </message>
    <message>
        <source>完了</source>
        <translation>Done</translation>
    </message>
    <message>
        <source>対応していない形式</source>
        <translation>Formats that are not supported</translation>
    </message>
    <message>
        <source>待機</source>
        <translation>Waiting</translation>
    </message>
    <message>
        <source>文字が正しく見えるものを選ぶと、その文字コードで読み直します。</source>
        <translation>Choose the one in which the text looks right; the file is read again with it.</translation>
    </message>
    <message>
        <source>文字にならない名前</source>
        <translation>Names that are not text</translation>
    </message>
    <message>
        <source>文字のないページ</source>
        <translation>Pages without text</translation>
    </message>
    <message>
        <source>文字コード</source>
        <translation>Encoding</translation>
    </message>
    <message>
        <source>文字コードを選んでください</source>
        <translation>Choose the encoding</translation>
    </message>
    <message>
        <source>文字化けの疑い</source>
        <translation>Garbled text suspected</translation>
    </message>
    <message>
        <source>文字数</source>
        <translation>Characters</translation>
    </message>
    <message>
        <source>機密</source>
        <translation>Confidential</translation>
    </message>
    <message>
        <source>機密の資料は、書き出すときに確認します。</source>
        <translation>Exports of confidential documents ask first.</translation>
    </message>
    <message>
        <source>社外秘</source>
        <translation>Internal</translation>
    </message>
    <message>
        <source>編集中の一時ファイル</source>
        <translation>Temporary files of other programs</translation>
    </message>
    <message>
        <source>自動で判別する</source>
        <translation>Detect automatically</translation>
    </message>
    <message>
        <source>表</source>
        <translation>Tables</translation>
    </message>
    <message>
        <source>要確認</source>
        <translation>Needs attention</translation>
    </message>
    <message>
        <source>見出し</source>
        <translation>Headings</translation>
    </message>
    <message>
        <source>読み取った日</source>
        <translation>Read on</translation>
    </message>
    <message>
        <source>読み取り中</source>
        <translation>Reading</translation>
    </message>
    <message>
        <source>読み取り中 {a}／{b}</source>
        <translation>Reading {a}/{b}</translation>
    </message>
    <message>
        <source>読み直す</source>
        <translation>Read again</translation>
    </message>
    <message>
        <source>読めないもの</source>
        <translation>Files that cannot be read</translation>
    </message>
    <message>
        <source>資料集の名前</source>
        <translation>Name of the collection</translation>
    </message>
    <message>
        <source>隠しファイル</source>
        <translation>Hidden files</translation>
    </message>
</context>
<context>
    <name>DocumentsPage</name>
    <message>
        <source>{label} ▾</source>
        <translation>{label} ▾</translation>
    </message>
    <message>
        <source>この資料集に文書はまだありません。PDF、Word、Excel などを追加できます。</source>
        <translation>This collection has no documents yet. You can add PDF, Word, Excel and more.</translation>
    </message>
    <message>
        <source>ほかの資料集…</source>
        <translation>Other collections…</translation>
    </message>
    <message>
        <source>ファイルを追加</source>
        <translation>Add files</translation>
    </message>
    <message>
        <source>フォルダを追加</source>
        <translation>Add a folder</translation>
    </message>
    <message>
        <source>ラベル</source>
        <translation>Label</translation>
    </message>
    <message>
        <source>ラベル：{label}</source>
        <translation>Label: {label}</translation>
    </message>
    <message>
        <source>例：仕様書や基準のフォルダをここへドラッグすると、その下のフォルダも一緒に追加されます。</source>
        <translation>Example: drag a folder of specifications or standards here; the folders below it are added too.</translation>
    </message>
    <message>
        <source>文書の名前で絞り込む</source>
        <translation>Filter by document name</translation>
    </message>
    <message>
        <source>資料</source>
        <translation>Documents</translation>
    </message>
    <message>
        <source>資料はまだありません。PDF、Word、Excel などを追加できます。</source>
        <translation>No documents yet. You can add PDF, Word, Excel and more.</translation>
    </message>
    <message>
        <source>資料を開いています…</source>
        <translation>Opening the documents…</translation>
    </message>
    <message>
        <source>資料集の操作</source>
        <translation>Actions for the collection</translation>
    </message>
    <message>
        <source>資料集を作る</source>
        <translation>New collection</translation>
    </message>
</context>
<context>
    <name>DocumentsPart</name>
    <message>
        <source>土台のモデル</source>
        <translation>Base models</translation>
    </message>
    <message>
        <source>学習済みのモデル</source>
        <translation>Fine-tuned model</translation>
    </message>
    <message>
        <source>資料</source>
        <translation>Documents</translation>
    </message>
    <message>
        <source>選ぶと、学習済みと、学習済み ＋ 資料も比べます。</source>
        <translation>With one, fine-tuned and fine-tuned + documents are compared too.</translation>
    </message>
</context>
<context>
    <name>Download</name>
    <message>
        <source>{a}／{b} {unit}（{p} %）</source>
        <translation>{a}/{b} {unit} ({p} %)</translation>
    </message>
    <message>
        <source>{title} を {n} 番目にしました。</source>
        <translation>{title} is now number {n}.</translation>
    </message>
    <message>
        <source>× 止まりました</source>
        <translation>× Stopped</translation>
    </message>
    <message>
        <source>つなぎ直しています…</source>
        <translation>Reconnecting…</translation>
    </message>
    <message>
        <source>まもなく始まります</source>
        <translation>Starting soon</translation>
    </message>
    <message>
        <source>一時停止中</source>
        <translation>Paused</translation>
    </message>
    <message>
        <source>上へ</source>
        <translation>Move up</translation>
    </message>
    <message>
        <source>下へ</source>
        <translation>Move down</translation>
    </message>
    <message>
        <source>中身を照合しています</source>
        <translation>Verifying</translation>
    </message>
    <message>
        <source>壊れた部分だけを取り直しています</source>
        <translation>Fetching only the damaged part again</translation>
    </message>
    <message>
        <source>接続しています…</source>
        <translation>Connecting…</translation>
    </message>
    <message>
        <source>順番を待っています（前に {n} 件）</source>
        <translation>Waiting ({n} before it)</translation>
    </message>
</context>
<context>
    <name>DownloadCard</name>
    <message>
        <source>この PC におすすめのモデルです。</source>
        <translation>It suits this PC.</translation>
    </message>
    <message>
        <source>この案内を閉じても、ダウンロードは続きます。</source>
        <translation>The download goes on when you close this guide.</translation>
    </message>
    <message>
        <source>キットを取り込む</source>
        <translation>Import a kit</translation>
    </message>
    <message>
        <source>ダウンロード（{size}）</source>
        <translation>Download ({size})</translation>
    </message>
    <message>
        <source>使用条件：{name}</source>
        <translation>Terms of use: {name}</translation>
    </message>
    <message>
        <source>通信が許可されていません。USB メモリの持ち運びキットから追加できます。</source>
        <translation>Network access is off. Add models from a transfer kit on a USB stick.</translation>
    </message>
</context>
<context>
    <name>DownloadConsent</name>
    <message>
        <source>{file}、{size} を受け取ります。途中で止めても、続きから再開できます。</source>
        <translation>{file}, {size}. It can be stopped and resumed at any time.</translation>
    </message>
    <message>
        <source>{name} をダウンロードしますか</source>
        <translation>Download {name}?</translation>
    </message>
    <message>
        <source>お願い</source>
        <translation>What it asks</translation>
    </message>
    <message>
        <source>とくにありません</source>
        <translation>Nothing in particular</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>使用条件</source>
        <translation>Licence</translation>
    </message>
    <message>
        <source>使用条件の全文を読む</source>
        <translation>Read the licence in full</translation>
    </message>
    <message>
        <source>使用条件を確認しました</source>
        <translation>I have read the licence</translation>
    </message>
    <message>
        <source>入手元</source>
        <translation>Source</translation>
    </message>
    <message>
        <source>入手元を指定…</source>
        <translation>Choose a source…</translation>
    </message>
    <message>
        <source>同意してダウンロード</source>
        <translation>Accept and download</translation>
    </message>
    <message>
        <source>確認すると、ダウンロードできます。</source>
        <translation>Tick this to be able to download.</translation>
    </message>
    <message>
        <source>約 {size}</source>
        <translation>about {size}</translation>
    </message>
</context>
<context>
    <name>DownloadDesk</name>
    <message>
        <source>{page} を開いてサインインし、使用条件に同意してから、トークンを入れてください。</source>
        <translation>Open {page}, sign in and accept the licence, then enter a token.</translation>
    </message>
    <message>
        <source>「{title}」のダウンロードを取り消しました。</source>
        <translation>The download of &quot;{title}&quot; was cancelled.</translation>
    </message>
    <message>
        <source>「設定」の「通信」で、プロキシのユーザー名とパスワードを入れてください。</source>
        <translation>Enter the proxy&apos;s user name and password under Settings, Network.</translation>
    </message>
    <message>
        <source>もう一度</source>
        <translation>Try again</translation>
    </message>
    <message>
        <source>トークンを入れる…</source>
        <translation>Enter a token…</translation>
    </message>
    <message>
        <source>保存先を変える…</source>
        <translation>Change folder…</translation>
    </message>
    <message>
        <source>入手元を指定…</source>
        <translation>Choose a source…</translation>
    </message>
    <message>
        <source>通信の設定を開く</source>
        <translation>Network settings</translation>
    </message>
</context>
<context>
    <name>DownloadRow</name>
    <message>
        <source>ダウンロード：{name}</source>
        <translation>Download of {name}</translation>
    </message>
    <message>
        <source>一時停止</source>
        <translation>Pause</translation>
    </message>
    <message>
        <source>取り消す</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>続きから再開</source>
        <translation>Resume</translation>
    </message>
    <message>
        <source>順番を変える</source>
        <translation>Change the order</translation>
    </message>
</context>
<context>
    <name>Downloading</name>
    <message>
        <source>{name} を追加しました。</source>
        <translation>{name} was added.</translation>
    </message>
</context>
<context>
    <name>DropZone</name>
    <message>
        <source>ここにファイルやフォルダをドロップ</source>
        <translation>Drop files or folders here</translation>
    </message>
</context>
<context>
    <name>Earlier</name>
    <message>
        <source>前のやりとり（変更されません）</source>
        <translation>What was said before (not changed)</translation>
    </message>
</context>
<context>
    <name>EditLine</name>
    <message>
        <source>やめる&#x3000;Esc</source>
        <translation>Cancel  Esc</translation>
    </message>
    <message>
        <source>編集をやめる</source>
        <translation>Stop editing</translation>
    </message>
    <message>
        <source>質問を編集しています</source>
        <translation>Editing the question</translation>
    </message>
</context>
<context>
    <name>EditorWindow</name>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>保存せずに閉じる</source>
        <translation>Close without saving</translation>
    </message>
    <message>
        <source>変えたところは元に戻ります。</source>
        <translation>What you changed will be lost.</translation>
    </message>
    <message>
        <source>変更を保存せずに閉じますか</source>
        <translation>Close without saving your changes?</translation>
    </message>
    <message>
        <source>編集を続ける</source>
        <translation>Keep editing</translation>
    </message>
</context>
<context>
    <name>Empty</name>
    <message>
        <source>ここにファイルをドロップ</source>
        <translation>Drop a file here</translation>
    </message>
    <message>
        <source>ファイルを選ぶ…</source>
        <translation>Choose a file…</translation>
    </message>
    <message>
        <source>モデルに覚えさせる質問と回答の組を用意します。手元のファイルを使うか、資料から作れます。</source>
        <translation>Training needs pairs of question and answer. Use a file of your own, or make them from documents.</translation>
    </message>
    <message>
        <source>例：一行目に「質問」「回答」と書いた表。JSONL なら、一行に一組ずつ書きます。</source>
        <translation>Example: a table with &quot;question&quot; and &quot;answer&quot; in its first row. In JSONL, one pair a line.</translation>
    </message>
    <message>
        <source>年に 2 回です。</source>
        <translation>Twice a year.</translation>
    </message>
    <message>
        <source>点検は年に何回ですか。</source>
        <translation>How often is it inspected?</translation>
    </message>
    <message>
        <source>読めるファイル：Excel（.xlsx）、CSV、TSV、JSON、JSONL、Markdown。</source>
        <translation>Files that can be read: Excel (.xlsx), CSV, TSV, JSON, JSONL, Markdown.</translation>
    </message>
    <message>
        <source>資料から作る…</source>
        <translation>Make from documents…</translation>
    </message>
</context>
<context>
    <name>EmptyView</name>
    <message>
        <source>GGUF ファイルを取り込む</source>
        <translation>Import a GGUF file</translation>
    </message>
    <message>
        <source>お試し用ではじめる</source>
        <translation>Start with the trial model</translation>
    </message>
    <message>
        <source>お試し用のキットを取り込む…</source>
        <translation>Import the trial kit…</translation>
    </message>
    <message>
        <source>どちらもネットワークを使いません。</source>
        <translation>Neither needs a network.</translation>
    </message>
    <message>
        <source>モデルがまだありません。</source>
        <translation>There is no model yet.</translation>
    </message>
    <message>
        <source>モデルをダウンロードしています。</source>
        <translation>A model is being downloaded.</translation>
    </message>
    <message>
        <source>モデルを追加しています。</source>
        <translation>A model is being added.</translation>
    </message>
    <message>
        <source>モデルを追加するには？</source>
        <translation>How do I add a model?</translation>
    </message>
    <message>
        <source>一時的な会話です。</source>
        <translation>This is a temporary chat.</translation>
    </message>
    <message>
        <source>会議の日程を尋ねるメールの文面を書いてください。</source>
        <translation>Write an e-mail asking for the date of a meeting.</translation>
    </message>
    <message>
        <source>保存しません。閉じると消えます。</source>
        <translation>It is not saved and goes when it is closed.</translation>
    </message>
    <message>
        <source>入力した内容は、この PC の中だけで扱います。</source>
        <translation>What you type is handled on this PC only.</translation>
    </message>
    <message>
        <source>入力した内容は、選んでいるサーバーへ送られます。</source>
        <translation>What you type is sent to the server that is chosen.</translation>
    </message>
    <message>
        <source>待つ間に、お試し用のモデルで始められます。</source>
        <translation>Meanwhile you can start with the trial model.</translation>
    </message>
    <message>
        <source>日本の首都はどこですか？</source>
        <translation>What is the capital of Japan?</translation>
    </message>
    <message>
        <source>資料に聞いてみましょう。</source>
        <translation>Ask your documents.</translation>
    </message>
    <message>
        <source>質問してみましょう。</source>
        <translation>Ask something.</translation>
    </message>
    <message>
        <source>進み具合は「モデル」の画面に出ます。</source>
        <translation>The page Models shows how far it is.</translation>
    </message>
    <message>
        <source>進み具合を見る</source>
        <translation>Show progress</translation>
    </message>
</context>
<context>
    <name>EnginePacks</name>
    <message>
        <source>CPU で計算するようになります。また使うときは、配布ファイルからもう一度追加してください。</source>
        <translation>The processor will compute instead. To use them again, add them from their file.</translation>
    </message>
    <message>
        <source>GPU の部品</source>
        <translation>Part for graphics cards</translation>
    </message>
    <message>
        <source>GPU の部品を外しますか</source>
        <translation>Remove the parts for graphics cards?</translation>
    </message>
    <message>
        <source>GPU の部品を選ぶ</source>
        <translation>Choose a part for graphics cards</translation>
    </message>
    <message>
        <source>▲ 使用中のため外せませんでした。Kotae を開き直し、質問する前に外してください。</source>
        <translation>▲ In use, so it could not be removed. Open Kotae again and remove it before you ask anything.</translation>
    </message>
    <message>
        <source>✓ {name} を追加しました。次に Kotae を開いたときから使います。</source>
        <translation>✓ Added {name}. It is used from the next start of Kotae.</translation>
    </message>
    <message>
        <source>✓ 外しました。次に Kotae を開いたときから CPU で計算します。</source>
        <translation>✓ Removed. From the next start of Kotae the processor computes.</translation>
    </message>
    <message>
        <source>あり：{names}</source>
        <translation>There: {names}</translation>
    </message>
    <message>
        <source>なし（CPU で計算します）</source>
        <translation>None (the processor computes)</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>ファイルから追加…</source>
        <translation>Add from a file…</translation>
    </message>
    <message>
        <source>外しています…</source>
        <translation>Removing…</translation>
    </message>
    <message>
        <source>外す</source>
        <translation>Remove</translation>
    </message>
    <message>
        <source>外す…</source>
        <translation>Remove…</translation>
    </message>
    <message>
        <source>確かめています…</source>
        <translation>Checking…</translation>
    </message>
</context>
<context>
    <name>EntryDesk</name>
    <message>
        <source>{n} 件を削除しました。</source>
        <translation>{n} items were deleted.</translation>
    </message>
    <message>
        <source>「{name}」を削除しました。</source>
        <translation>{name} was deleted.</translation>
    </message>
    <message>
        <source>このアダプターから続ける</source>
        <translation>Go on from this adapter</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>並べて比べる</source>
        <translation>Compare in one table</translation>
    </message>
    <message>
        <source>作業フォルダの結果を取り込む…</source>
        <translation>Take in the result of a work folder…</translation>
    </message>
    <message>
        <source>削除</source>
        <translation>Delete</translation>
    </message>
    <message>
        <source>同じ設定でもう一度</source>
        <translation>Again with the same settings</translation>
    </message>
    <message>
        <source>名前とメモ…</source>
        <translation>Name and note…</translation>
    </message>
    <message>
        <source>名前を変える…</source>
        <translation>Rename…</translation>
    </message>
    <message>
        <source>評価を実行…</source>
        <translation>Run evaluation…</translation>
    </message>
</context>
<context>
    <name>EntryDialog</name>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>メモ</source>
        <translation>Note</translation>
    </message>
    <message>
        <source>保存する</source>
        <translation>Save</translation>
    </message>
    <message>
        <source>名前</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>名前とメモ</source>
        <translation>Name and note</translation>
    </message>
    <message>
        <source>名前を変える</source>
        <translation>Rename</translation>
    </message>
</context>
<context>
    <name>EntryList</name>
    <message>
        <source>履歴</source>
        <translation>History</translation>
    </message>
    <message>
        <source>結果</source>
        <translation>Results</translation>
    </message>
    <message>
        <source>質問集</source>
        <translation>Question set</translation>
    </message>
    <message>
        <source>進行中</source>
        <translation>In progress</translation>
    </message>
</context>
<context>
    <name>EntryView</name>
    <message>
        <source>学習の一覧</source>
        <translation>List of trainings</translation>
    </message>
    <message>
        <source>質問集と結果の一覧</source>
        <translation>Question sets and results</translation>
    </message>
</context>
<context>
    <name>EnvironmentBox</name>
    <message>
        <source>CUDA なし</source>
        <translation>No CUDA</translation>
    </message>
    <message>
        <source>▲ 使えますが、torch が CPU 用なので GPU を使えません。</source>
        <translation>▲ It works, but its torch is made for CPUs and cannot use the GPU.</translation>
    </message>
    <message>
        <source>▲ 使えますが、この版の Kotae が使う部品とは違います。作り直すと揃います。</source>
        <translation>▲ It works, but its parts differ from those of this version of Kotae. Make it anew to get them.</translation>
    </message>
    <message>
        <source>▲ 空きが足りません。別のドライブの場所を選んでください。</source>
        <translation>▲ There is not enough space. Choose a place on another drive.</translation>
    </message>
    <message>
        <source>✓ 使えます。4 ビットの計算も確かめました。</source>
        <translation>✓ It works. Computing in 4 bits was tried, too.</translation>
    </message>
    <message>
        <source>いま、学習環境を使っています。</source>
        <translation>The training environment is in use.</translation>
    </message>
    <message>
        <source>この版の Kotae には、Windows の GPU（CUDA）用の部品がまだありません。変換はできます。</source>
        <translation>This version of Kotae has no parts for the GPU (CUDA) on Windows yet. Models can be converted.</translation>
    </message>
    <message>
        <source>まだありません。学習を始める前に、一度だけ作ります。</source>
        <translation>There is none yet. It is made once, before the first training.</translation>
    </message>
    <message>
        <source>オフラインで作る…</source>
        <translation>Make it offline…</translation>
    </message>
    <message>
        <source>作り直す</source>
        <translation>Make it anew</translation>
    </message>
    <message>
        <source>入れる場所：{folder}（作る前に選べます）</source>
        <translation>Place: {folder} (you can choose it before it is made)</translation>
    </message>
    <message>
        <source>取得は約 {download} GB、作るあいだにディスクを最大 {room} GB 使います（空き {free} GB）。</source>
        <translation>About {download} GB is fetched; up to {room} GB of disk is used while it is made ({free} GB free).</translation>
    </message>
    <message>
        <source>学習とモデルの変換に使う Python と torch などです。質問に答えるだけなら要りません。</source>
        <translation>Python, torch and others, for training and for converting models. Answering questions does not need them.</translation>
    </message>
    <message>
        <source>学習環境</source>
        <translation>Training environment</translation>
    </message>
    <message>
        <source>学習環境を作る</source>
        <translation>Make the training environment</translation>
    </message>
    <message>
        <source>終わってから、もう一度選んでください。</source>
        <translation>Choose this again afterwards.</translation>
    </message>
    <message>
        <source>調べています…</source>
        <translation>Looking…</translation>
    </message>
</context>
<context>
    <name>EnvironmentMaking</name>
    <message>
        <source>{folder} をフォルダごと、使う PC へ運んでください。「オフラインで作る…」で選びます。</source>
        <translation>Take the whole folder {folder} to the other PC, and choose it there under &quot;Make it offline…&quot;.</translation>
    </message>
    <message>
        <source>学習環境キットを書き出しました</source>
        <translation>The training environment kit is written</translation>
    </message>
    <message>
        <source>学習環境キット（またはホイール）のフォルダを選ぶ</source>
        <translation>Choose the Folder of a Training Environment Kit (or of Wheels)</translation>
    </message>
</context>
<context>
    <name>Evaluation</name>
    <message>
        <source>2 回以上尋ねるときは、温度を 0 より大きくしてください。0 では毎回同じ回答になります。</source>
        <translation>To ask more than once, let the temperature be above 0: at 0 every answer is the same.</translation>
    </message>
    <message>
        <source>F16 と比べる形式を 1 つ以上選んでください。</source>
        <translation>Choose at least one form to compare with F16.</translation>
    </message>
    <message>
        <source>Kotae の採点（模範解答と資料を見せる）</source>
        <translation>Kotae&apos;s (shown the reference and the documents)</translation>
    </message>
    <message>
        <source>Kotae を閉じると、評価は一時停止します。</source>
        <translation>Closing Kotae pauses the evaluation.</translation>
    </message>
    <message>
        <source>LAN のサーバーのモデルは測れません</source>
        <translation>Models of servers in the LAN cannot be measured</translation>
    </message>
    <message>
        <source>{a}／{b}</source>
        <translation>{a}/{b}</translation>
    </message>
    <message>
        <source>{a}／{b}&#x3000;{what}</source>
        <translation>{a}/{b}  {what}</translation>
    </message>
    <message>
        <source>{form} の形式を作っています</source>
        <translation>Making the form {form}</translation>
    </message>
    <message>
        <source>{name} を作っています</source>
        <translation>Making {name}</translation>
    </message>
    <message>
        <source>{name}を学習しています</source>
        <translation>Training {name}</translation>
    </message>
    <message>
        <source>{n} 件の対照</source>
        <translation>control of {n} rows</translation>
    </message>
    <message>
        <source>{n} 件（{a} 回目）</source>
        <translation>{n} rows (run {a})</translation>
    </message>
    <message>
        <source>{n} 問</source>
        <translation>{n} questions</translation>
    </message>
    <message>
        <source>{n} 回答のうち {a} 件が済みました。「続ける」で、続きから進めます。</source>
        <translation>{a} of {n} answers are done. Continue goes on from there.</translation>
    </message>
    <message>
        <source>{n} 構成</source>
        <translation>{n} systems</translation>
    </message>
    <message>
        <source>{n} 段階のうち {a} 段階が済みました。「続ける」で、続きから進めます。</source>
        <translation>{a} of {n} steps are done. Continue goes on from there.</translation>
    </message>
    <message>
        <source>{s} 構成 × {q} 問 = {a} 回答</source>
        <translation>{s} systems × {q} questions = {a} answers</translation>
    </message>
    <message>
        <source>{s} 構成 × {q} 問 × {r} 回 = {a} 回答</source>
        <translation>{s} systems × {q} questions × {r} times = {a} answers</translation>
    </message>
    <message>
        <source>「{name}」が採点しています</source>
        <translation>{name} is judging</translation>
    </message>
    <message>
        <source>「{name}」には、空きより多いメモリ（約 {need}）が必要です。とても遅くなるか、途中で止まることがあります。</source>
        <translation>{name} needs more memory (about {need}) than is free: it may be very slow, or end.</translation>
    </message>
    <message>
        <source>「{name}」に質問しています</source>
        <translation>Asking {name}</translation>
    </message>
    <message>
        <source>「{name}」の損失を測っています</source>
        <translation>Measuring the loss of {name}</translation>
    </message>
    <message>
        <source>「{name}」は、回答を作らずに資料の該当箇所をそのまま示します。1B 未満のモデルは、ふだんもこの形で答えます。</source>
        <translation>“{name}” shows the matching passages of the documents instead of an answer. Models below 1B always answer in this way.</translation>
    </message>
    <message>
        <source>「続ける」を押すと、最後に保存したところから続けます。</source>
        <translation>“Continue” goes on from what was saved last.</translation>
    </message>
    <message>
        <source>いちばん少ない件数を {n} 件以上にしてください。</source>
        <translation>Let the smallest amount be {n} or more.</translation>
    </message>
    <message>
        <source>くりかえすときは、記録 {log} の終わりを確かめてください（{cause}）。</source>
        <translation>Where it happens again, look at the end of the log {log} ({cause}).</translation>
    </message>
    <message>
        <source>どのモデルがよく答えるかを比べます。</source>
        <translation>Which model answers best.</translation>
    </message>
    <message>
        <source>なし</source>
        <translation>None</translation>
    </message>
    <message>
        <source>ほかのアプリを閉じてください。</source>
        <translation>Close other programs.</translation>
    </message>
    <message>
        <source>ほかの評価が進んでいます。終わると、続けられます。</source>
        <translation>Another evaluation is running. This one can go on when it has ended.</translation>
    </message>
    <message>
        <source>ターミナルなど、この画面の外で進んでいる評価です。止めるには、そちらで Ctrl+C を押してください。</source>
        <translation>This evaluation runs outside this window, for example in a terminal. To stop it, press Ctrl+C there.</translation>
    </message>
    <message>
        <source>ディスク 最大 {need}（空き {free}）</source>
        <translation>disk: at most {need} ({free} free)</translation>
    </message>
    <message>
        <source>ディスクの空きが足りません。不要なファイルを消してください。</source>
        <translation>There is not enough room on the disk. Delete files that are not needed.</translation>
    </message>
    <message>
        <source>データを調べています…</source>
        <translation>Looking for data…</translation>
    </message>
    <message>
        <source>ファイルがありません</source>
        <translation>file missing</translation>
    </message>
    <message>
        <source>ファイルの作成</source>
        <translation>File</translation>
    </message>
    <message>
        <source>メモリを空けてから「続ける」を押すと、その質問をもう一度尋ねます。また同じ質問で止まったときは、答えられなかったものとして先へ進みます。</source>
        <translation>Free some memory and press Continue: these questions are asked again. One at which it stops again counts as not answered.</translation>
    </message>
    <message>
        <source>モデルが 1 つしかありません。「モデル」で追加してください。</source>
        <translation>There is only one model. Add another on the page Models.</translation>
    </message>
    <message>
        <source>モデルの比較</source>
        <translation>Models</translation>
    </message>
    <message>
        <source>モデルを作成中</source>
        <translation>Making a model</translation>
    </message>
    <message>
        <source>モデルを元の場所に戻してください。</source>
        <translation>Put the model back where it was.</translation>
    </message>
    <message>
        <source>モデルを変換用のフォルダに戻しています</source>
        <translation>Turning the model back into a folder for conversion</translation>
    </message>
    <message>
        <source>一時停止しても、そこまでの結果は残ります。</source>
        <translation>Pausing keeps what was measured.</translation>
    </message>
    <message>
        <source>一時停止しても、そこまでの結果は残ります。学習は保存してから止まるので、数分かかります。</source>
        <translation>Pausing keeps what was measured. A training saves first, which takes minutes.</translation>
    </message>
    <message>
        <source>不要なファイルを消してください。</source>
        <translation>Delete files that are not needed.</translation>
    </message>
    <message>
        <source>今回の経過 {time}</source>
        <translation>{time} so far, this time</translation>
    </message>
    <message>
        <source>使えるモデルがありません。「モデル」で追加してください。</source>
        <translation>There is no model. Add one on the page Models.</translation>
    </message>
    <message>
        <source>分割して固定したデータがありません。「学習」のデータで作れます。</source>
        <translation>There are no data that were split and frozen. Make them on the page Fine-tuning, under Data.</translation>
    </message>
    <message>
        <source>回答</source>
        <translation>Answers</translation>
    </message>
    <message>
        <source>回答 {a}／{b}</source>
        <translation>{a}/{b} answers</translation>
    </message>
    <message>
        <source>回答にかかる時間は長くても{time}</source>
        <translation>answering: at most {time}</translation>
    </message>
    <message>
        <source>回答はまだありません。「続ける」で、初めから進めます。</source>
        <translation>There is no answer yet. Continue begins with the first.</translation>
    </message>
    <message>
        <source>回答中</source>
        <translation>Answering</translation>
    </message>
    <message>
        <source>土台のモデルを選んでください。</source>
        <translation>Choose a base model.</translation>
    </message>
    <message>
        <source>学習 {n} 回</source>
        <translation>{n} runs</translation>
    </message>
    <message>
        <source>学習できるモデルがありません。「モデル」で確かめてください。</source>
        <translation>There is no model that can be trained. See the page Models.</translation>
    </message>
    <message>
        <source>学習のステップ</source>
        <translation>Training steps</translation>
    </message>
    <message>
        <source>学習データが何件あれば足りるかを、量を変えて学習して調べます。</source>
        <translation>How many rows of training data are enough, by training on several amounts.</translation>
    </message>
    <message>
        <source>学習データを選んでください。</source>
        <translation>Choose training data.</translation>
    </message>
    <message>
        <source>学習中</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>学習環境がありません。設定の「学習環境」で作れます。</source>
        <translation>There is no training environment. Make it under Training in the settings.</translation>
    </message>
    <message>
        <source>学習用 {n} 件</source>
        <translation>{n} training rows</translation>
    </message>
    <message>
        <source>学習量の比較</source>
        <translation>Amounts of training data</translation>
    </message>
    <message>
        <source>実行中</source>
        <translation>Running</translation>
    </message>
    <message>
        <source>小さい形式にしたとき、品質がどれだけ下がるかを比べます。</source>
        <translation>How much quality smaller forms cost.</translation>
    </message>
    <message>
        <source>採点</source>
        <translation>Scores</translation>
    </message>
    <message>
        <source>採点 {n} 件</source>
        <translation>{n} judged</translation>
    </message>
    <message>
        <source>採点モデル「{name}」には、空きより多いメモリ（約 {need}）が必要です。空きがないままだと、回答がそろったあと、採点の前に止まります。</source>
        <translation>The judge {name} needs more memory (about {need}) than is free. Unless there is room by then, the evaluation stops before it judges, when all is answered.</translation>
    </message>
    <message>
        <source>採点モデルの検証</source>
        <translation>Check of the judge</translation>
    </message>
    <message>
        <source>採点中</source>
        <translation>Judging</translation>
    </message>
    <message>
        <source>止めています…</source>
        <translation>Stopping…</translation>
    </message>
    <message>
        <source>止めています。学習はいまの状態を保存してから止まるので、数分かかることがあります。</source>
        <translation>Stopping. A training saves where it is first, which may take minutes.</translation>
    </message>
    <message>
        <source>比べられるものが、まだありません。</source>
        <translation>There is nothing to compare yet.</translation>
    </message>
    <message>
        <source>比べるモデルを 2 つ以上選んでください。</source>
        <translation>Choose two models or more.</translation>
    </message>
    <message>
        <source>比べる件数は、50, 100, 200 のように数字で書いてください。</source>
        <translation>Write the amounts as numbers, such as 50, 100, 200.</translation>
    </message>
    <message>
        <source>比べる件数は、小さい順に 2 つ以上書いてください。</source>
        <translation>Write two amounts or more, rising.</translation>
    </message>
    <message>
        <source>測ったトークン</source>
        <translation>Measured tokens</translation>
    </message>
    <message>
        <source>測定中</source>
        <translation>Measuring</translation>
    </message>
    <message>
        <source>準備</source>
        <translation>Preparation</translation>
    </message>
    <message>
        <source>結果をまとめています</source>
        <translation>Putting the results together</translation>
    </message>
    <message>
        <source>続けられます</source>
        <translation>Can be continued</translation>
    </message>
    <message>
        <source>自分の質問集がありません。「質問集を追加」で追加すると選べます。</source>
        <translation>There is no question set of your own. This can be chosen after “Add a question set”.</translation>
    </message>
    <message>
        <source>評価が終わりました。</source>
        <translation>The evaluation has finished.</translation>
    </message>
    <message>
        <source>評価をもう一度行ってください。</source>
        <translation>Do the evaluation again.</translation>
    </message>
    <message>
        <source>評価中は、質問用のモデルを休ませます。終わると自動で戻ります。</source>
        <translation>The model that answers you rests during an evaluation. It comes back by itself.</translation>
    </message>
    <message>
        <source>読めません</source>
        <translation>Cannot be read</translation>
    </message>
    <message>
        <source>論文 arXiv 2603.18037 の採点（回答だけを見せる）</source>
        <translation>That of arXiv 2603.18037 (shown the answer alone)</translation>
    </message>
    <message>
        <source>資料 {n} 件</source>
        <translation>{n} documents</translation>
    </message>
    <message>
        <source>資料と学習の比較</source>
        <translation>Documents and fine-tuning</translation>
    </message>
    <message>
        <source>資料を 1 つ以上選んでください。</source>
        <translation>Choose at least one collection.</translation>
    </message>
    <message>
        <source>資料を渡す効果と学習の効果を、同じ問いで比べます。</source>
        <translation>What documents bring and what a training brings, over the same questions.</translation>
    </message>
    <message>
        <source>資料集がありません。「資料」で追加してください。</source>
        <translation>There is no collection. Add one on the page Documents.</translation>
    </message>
    <message>
        <source>質問集を選んでください。</source>
        <translation>Choose a question set.</translation>
    </message>
    <message>
        <source>量子化の比較</source>
        <translation>Quantizations</translation>
    </message>
    <message>
        <source>長くても{time}</source>
        <translation>at most {time}</translation>
    </message>
    <message>
        <source>集計中</source>
        <translation>Summing up</translation>
    </message>
</context>
<context>
    <name>EvaluationPage</name>
    <message>
        <source>一覧</source>
        <translation>List</translation>
    </message>
    <message>
        <source>評価</source>
        <translation>Evaluation</translation>
    </message>
    <message>
        <source>評価を実行</source>
        <translation>Run evaluation</translation>
    </message>
    <message>
        <source>質問集を追加</source>
        <translation>Add a question set</translation>
    </message>
</context>
<context>
    <name>EvaluationResult</name>
    <message>
        <source>0.5 未満</source>
        <translation>below 0.5</translation>
    </message>
    <message>
        <source>1 未満</source>
        <translation>below 1</translation>
    </message>
    <message>
        <source>1（満点）</source>
        <translation>1 (full)</translation>
    </message>
    <message>
        <source>95&#xa0;% 区間</source>
        <translation>95&#xa0;% interval</translation>
    </message>
    <message>
        <source>{a}／{b}</source>
        <translation>{a}/{b}</translation>
    </message>
    <message>
        <source>{low} 〜 {high}</source>
        <translation>{low} to {high}</translation>
    </message>
    <message>
        <source>{low}〜{high}</source>
        <translation>{low} to {high}</translation>
    </message>
    <message>
        <source>{n} 問に満たないので、95&#xa0;% 区間は示しません。</source>
        <translation>With fewer than {n} questions, no 95&#xa0;% interval is shown.</translation>
    </message>
    <message>
        <source>{n} 点</source>
        <translation>{n}</translation>
    </message>
    <message>
        <source>{scale}{lines}</source>
        <translation>{scale} {lines}</translation>
    </message>
    <message>
        <source>この組み合わせを質問で使う</source>
        <translation>Use this combination for questions</translation>
    </message>
    <message>
        <source>モデルの比較</source>
        <translation>Models</translation>
    </message>
    <message>
        <source>問数不足</source>
        <translation>Too few questions</translation>
    </message>
    <message>
        <source>土台のモデル</source>
        <translation>Base models</translation>
    </message>
    <message>
        <source>学習量</source>
        <translation>Amount of data</translation>
    </message>
    <message>
        <source>得点 0〜1：必ず含む語が入っていた割合。なければ模範解答との近さ。</source>
        <translation>Score, 0 to 1: the share of the required words that were there; without any, how close to the reference.</translation>
    </message>
    <message>
        <source>悪い</source>
        <translation>Worse</translation>
    </message>
    <message>
        <source>採点 0〜3。</source>
        <translation>Judge’s score, 0 to 3.</translation>
    </message>
    <message>
        <source>採点モデル</source>
        <translation>Judge</translation>
    </message>
    <message>
        <source>横線は 95&#xa0;% 区間（ブートストラップ {n} 回、問いを単位）</source>
        <translation>Lines: 95&#xa0;% intervals (bootstrap of {n} draws, by question)</translation>
    </message>
    <message>
        <source>良い</source>
        <translation>Better</translation>
    </message>
    <message>
        <source>誤差の範囲</source>
        <translation>Within noise</translation>
    </message>
    <message>
        <source>資料と学習の比較</source>
        <translation>Documents and fine-tuning</translation>
    </message>
    <message>
        <source>量子化</source>
        <translation>Quantization</translation>
    </message>
</context>
<context>
    <name>ExcerptLine</name>
    <message>
        <source>小さなモデルのため、文章を作らずに原文をそのまま示しています。</source>
        <translation>The model is small, so the original sentences are shown as they are.</translation>
    </message>
    <message>
        <source>抜粋表示</source>
        <translation>Excerpts</translation>
    </message>
</context>
<context>
    <name>ExpertForm</name>
    <message>
        <source>ほかの設定を既定に戻す</source>
        <translation>Reset the other settings</translation>
    </message>
    <message>
        <source>ほかの設定：{settings}</source>
        <translation>Other settings: {settings}</translation>
    </message>
    <message>
        <source>既定</source>
        <translation>Default</translation>
    </message>
    <message>
        <source>既定（{value}）</source>
        <translation>Default ({value})</translation>
    </message>
    <message>
        <source>続けるアダプターの値です。変えられません。</source>
        <translation>That of the adapter that is trained further; it cannot be changed.</translation>
    </message>
</context>
<context>
    <name>ExpertPart</name>
    <message>
        <source> トークン</source>
        <translation>tokens</translation>
    </message>
    <message>
        <source> 回</source>
        <translation>times</translation>
    </message>
    <message>
        <source>1 回</source>
        <translation>Once</translation>
    </message>
    <message>
        <source>この長さで回答を打ち切ります。1 トークンは 1〜2 文字です。</source>
        <translation>Answers are cut off at this length. A token is part of a word.</translation>
    </message>
    <message>
        <source>同じ質問を何回尋ねるかです。増やすと、回答のばらつきも分かります。</source>
        <translation>How often the same question is asked. More times show how much answers vary.</translation>
    </message>
    <message>
        <source>名前</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>回答の長さ</source>
        <translation>Answer length</translation>
    </message>
    <message>
        <source>尋ねる回数</source>
        <translation>Times each is asked</translation>
    </message>
    <message>
        <source>採点にかかる時間が増えます。</source>
        <translation>Judging takes longer.</translation>
    </message>
    <message>
        <source>採点のしかた</source>
        <translation>Way of judging</translation>
    </message>
    <message>
        <source>採点モデルに、2 つの回答を並べて見比べさせる</source>
        <translation>Let the judge also compare two answers side by side</translation>
    </message>
    <message>
        <source>文脈</source>
        <translation>Context</translation>
    </message>
    <message>
        <source>温度</source>
        <translation>Temperature</translation>
    </message>
    <message>
        <source>自動</source>
        <translation>Automatic</translation>
    </message>
    <message>
        <source>自動では、1 回なら 0（毎回同じ回答）、2 回以上ならモデルの推奨値にします。</source>
        <translation>Automatic: 0 (always the same answer) when asked once, the model&apos;s own value when asked more often.</translation>
    </message>
    <message>
        <source>見比べ</source>
        <translation>Pairs</translation>
    </message>
    <message>
        <source>資料と質問と回答を合わせた長さの上限です。</source>
        <translation>The most that documents, question and answer may take together.</translation>
    </message>
</context>
<context>
    <name>ExportDialog</name>
    <message>
        <source>どの形で書き出しますか</source>
        <translation>Export in which format?</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>書き出す…</source>
        <translation>Export…</translation>
    </message>
</context>
<context>
    <name>Facts</name>
    <message>
        <source>{a}／{b}</source>
        <translation>{a}/{b}</translation>
    </message>
    <message>
        <source>ステップ</source>
        <translation>Step</translation>
    </message>
    <message>
        <source>再開からの経過</source>
        <translation>Since resuming</translation>
    </message>
    <message>
        <source>土台</source>
        <translation>Base</translation>
    </message>
    <message>
        <source>学習の進み</source>
        <translation>Progress of the training</translation>
    </message>
    <message>
        <source>最良の検証損失</source>
        <translation>Best validation loss</translation>
    </message>
    <message>
        <source>残り</source>
        <translation>Left</translation>
    </message>
    <message>
        <source>状態</source>
        <translation>State</translation>
    </message>
    <message>
        <source>経過</source>
        <translation>Elapsed</translation>
    </message>
</context>
<context>
    <name>Field</name>
    <message>
        <source>既定に戻す</source>
        <translation>Reset</translation>
    </message>
    <message>
        <source>既定（{value}）に戻す</source>
        <translation>Reset to {value}</translation>
    </message>
</context>
<context>
    <name>FindBar</name>
    <message>
        <source>{n}／{total}</source>
        <translation>{n}/{total}</translation>
    </message>
    <message>
        <source>この会話の中を検索</source>
        <translation>Find in this conversation</translation>
    </message>
    <message>
        <source>前へ</source>
        <translation>Previous</translation>
    </message>
    <message>
        <source>検索を閉じる</source>
        <translation>Close search</translation>
    </message>
    <message>
        <source>次へ</source>
        <translation>Next</translation>
    </message>
    <message>
        <source>見つかりません</source>
        <translation>Nothing found</translation>
    </message>
</context>
<context>
    <name>FirstRunDialog</name>
    <message>
        <source>あとで</source>
        <translation>Later</translation>
    </message>
    <message>
        <source>この PC でできること</source>
        <translation>What this PC can do</translation>
    </message>
    <message>
        <source>はじめに</source>
        <translation>Getting started</translation>
    </message>
    <message>
        <source>はじめる</source>
        <translation>Start</translation>
    </message>
    <message>
        <source>モデルを選ぶ</source>
        <translation>Choose a model</translation>
    </message>
    <message>
        <source>入力した内容と資料は、この PC の中だけで扱います。</source>
        <translation>What you type and your documents are handled on this PC only.</translation>
    </message>
    <message>
        <source>戻る</source>
        <translation>Back</translation>
    </message>
    <message>
        <source>次へ：{step}</source>
        <translation>Next: {step}</translation>
    </message>
    <message>
        <source>質問してみる</source>
        <translation>Ask something</translation>
    </message>
</context>
<context>
    <name>FolderMenu</name>
    <message>
        <source>このフォルダで新しい質問</source>
        <translation>New question in this folder</translation>
    </message>
    <message>
        <source>フォルダを削除（会話は残ります）</source>
        <translation>Delete the folder (conversations stay)</translation>
    </message>
    <message>
        <source>名前を変更</source>
        <translation>Rename</translation>
    </message>
</context>
<context>
    <name>Foot</name>
    <message>
        <source>戻る</source>
        <translation>Back</translation>
    </message>
</context>
<context>
    <name>ForecastBox</name>
    <message>
        <source>3 ステップ試した結果：{time}、{memory} {size}</source>
        <translation>After a 3-step trial: {time} · {memory} {size}</translation>
    </message>
    <message>
        <source>3 ステップ試す</source>
        <translation>Try 3 steps</translation>
    </message>
    <message>
        <source>この設定にする</source>
        <translation>Use these settings</translation>
    </message>
    <message>
        <source>ディスク</source>
        <translation>Disk</translation>
    </message>
    <message>
        <source>ディスクの空きが足りません。不要なファイルを消してから、もう一度調べてください。</source>
        <translation>Not enough free disk space. Delete what you do not need, then check again.</translation>
    </message>
    <message>
        <source>トークンの数と、計算の速さの目安から計算しました。時間は大きく外れることがあります。</source>
        <translation>Computed from the number of tokens and a typical speed. The time may be far off.</translation>
    </message>
    <message>
        <source>トークンの数を文字数から推し量った、おおよその値です。</source>
        <translation>Rough: the number of tokens is estimated from letters.</translation>
    </message>
    <message>
        <source>メモリが足りず、設定を変えても収まりません。小さいモデルを選ぶか、別の PC 用の作業フォルダを作ってください。</source>
        <translation>Not enough memory, and no settings make it fit. Choose a smaller model, or make a job folder for another PC.</translation>
    </message>
    <message>
        <source>メモリが足りません。次の設定にすると始められます：{changes}</source>
        <translation>Not enough memory. It fits with these settings: {changes}</translation>
    </message>
    <message>
        <source>土台を学習用に変換し、3 ステップだけ計算して測ります。変換は初めの一度だけで、時間がかかります。</source>
        <translation>Converts the base for training, then measures 3 steps. The conversion takes a while, and is done only once.</translation>
    </message>
    <message>
        <source>実際に 3 ステップだけ計算して、時間とメモリを測ります。数分かかることがあります。</source>
        <translation>Computes just 3 steps to measure time and memory. It may take some minutes.</translation>
    </message>
    <message>
        <source>必要 {need}／使える {free}</source>
        <translation>{need} needed, {free} available</translation>
    </message>
    <message>
        <source>必要 {need}／空き {free}</source>
        <translation>{need} needed, {free} free</translation>
    </message>
    <message>
        <source>見積もり：{time}、{memory} {size}</source>
        <translation>Estimate: {time} · {memory} {size}</translation>
    </message>
    <message>
        <source>長い例で測りました。時間には検証を含み、試しの回答と保存、学習後の判定は含みません。</source>
        <translation>Measured with the longest examples. The time includes validation, but no samples, saving or the verdict afterwards.</translation>
    </message>
</context>
<context>
    <name>FormatChoice</name>
    <message>
        <source>JSON（.json）</source>
        <translation>JSON (.json)</translation>
    </message>
    <message>
        <source>Markdown（.md）</source>
        <translation>Markdown (.md)</translation>
    </message>
    <message>
        <source>Word（.docx）</source>
        <translation>Word (.docx)</translation>
    </message>
    <message>
        <source>ほかの PC に移すときに。すべての枝を残し、Kotae に取り込めます。</source>
        <translation>To move to another PC. Keeps every branch and can be imported into Kotae.</translation>
    </message>
    <message>
        <source>報告や回覧に。会話ごとに 1 つのファイルになります。</source>
        <translation>For reports. One file for each conversation.</translation>
    </message>
    <message>
        <source>報告や回覧に。見出し、表、箇条書きを保ちます。</source>
        <translation>For reports. Keeps headings, tables and lists.</translation>
    </message>
    <message>
        <source>文字だけのファイル。ほかのソフトに貼り付けられます。</source>
        <translation>Plain text, to be pasted into other programs.</translation>
    </message>
    <message>
        <source>文字だけのファイル。会話ごとに 1 つになります。</source>
        <translation>Plain text. One file for each conversation.</translation>
    </message>
</context>
<context>
    <name>FormsCard</name>
    <message>
        <source>おすすめ</source>
        <translation>Recommended</translation>
    </message>
    <message>
        <source>この形のファイルはまだありません。作ると使えるようになります。</source>
        <translation>There is no file of this form yet. Make it to use it.</translation>
    </message>
    <message>
        <source>この形を作る</source>
        <translation>Make this form</translation>
    </message>
    <message>
        <source>メモリ不足</source>
        <translation>Not enough memory</translation>
    </message>
    <message>
        <source>作っています（{a}／{b}）：{what}</source>
        <translation>Making ({a}/{b}): {what}</translation>
    </message>
    <message>
        <source>作る準備をしています</source>
        <translation>Getting ready</translation>
    </message>
    <message>
        <source>使う形</source>
        <translation>Form to use</translation>
    </message>
    <message>
        <source>大きさ</source>
        <translation>Size</translation>
    </message>
    <message>
        <source>形</source>
        <translation>Form</translation>
    </message>
    <message>
        <source>損失 {v}</source>
        <translation>Loss {v}</translation>
    </message>
    <message>
        <source>損失の増加</source>
        <translation>Loss added</translation>
    </message>
    <message>
        <source>損失大</source>
        <translation>Large loss</translation>
    </message>
    <message>
        <source>未測定</source>
        <translation>Not measured</translation>
    </message>
    <message>
        <source>測る</source>
        <translation>Measure</translation>
    </message>
</context>
<context>
    <name>FormsPart</name>
    <message>
        <source>F16 を基準にして、ほかの形式を作って比べます。</source>
        <translation>The other forms are made and compared with F16.</translation>
    </message>
    <message>
        <source>モデル</source>
        <translation>Model</translation>
    </message>
    <message>
        <source>基準</source>
        <translation>baseline</translation>
    </message>
    <message>
        <source>学習済みのモデル</source>
        <translation>Fine-tuned model</translation>
    </message>
    <message>
        <source>比べる形式</source>
        <translation>Forms to compare</translation>
    </message>
    <message>
        <source>約 {size}</source>
        <translation>about {size}</translation>
    </message>
    <message>
        <source>選ぶと、学習で変わった分も同じ形式にして比べます。</source>
        <translation>With one, what the training has changed is compared in the same forms.</translation>
    </message>
</context>
<context>
    <name>FoundDialog</name>
    <message>
        <source>LM Studio、Ollama、Hugging Face、llama.cpp、GPT4All、Jan のフォルダを調べます。ファイルは複製も変更もせず、いまの場所に置いたまま使います。</source>
        <translation>Looks into the folders of LM Studio, Ollama, Hugging Face, llama.cpp, GPT4All and Jan. Files are used where they are, neither copied nor changed.</translation>
    </message>
    <message>
        <source>{n} つのファイル</source>
        <translation>{n} files</translation>
    </message>
    <message>
        <source>{n} 個のモデルを追加できます。</source>
        <translation>Models that can be added: {n}.</translation>
    </message>
    <message>
        <source>{n} 個を追加</source>
        <translation>Add {n}</translation>
    </message>
    <message>
        <source>✓ 追加済み</source>
        <translation>✓ Added</translation>
    </message>
    <message>
        <source>ほかのアプリのモデルを探す</source>
        <translation>Find models of other apps</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>フォルダを調べています</source>
        <translation>Looking through folders</translation>
    </message>
    <message>
        <source>使えないもの（{n}）</source>
        <translation>Cannot be used ({n})</translation>
    </message>
    <message>
        <source>探しています。キャンセルを押すと、途中でやめます。</source>
        <translation>Searching. Cancel ends the search.</translation>
    </message>
    <message>
        <source>新しく追加できるモデルはありません。</source>
        <translation>There are no new models to add.</translation>
    </message>
    <message>
        <source>見つかったモデル</source>
        <translation>Models found</translation>
    </message>
    <message>
        <source>追加</source>
        <translation>Add</translation>
    </message>
    <message>
        <source>追加するモデルに印を付けてください。</source>
        <translation>Tick the models to add.</translation>
    </message>
</context>
<context>
    <name>GateTable</name>
    <message>
        <source>判定</source>
        <translation>Verdict</translation>
    </message>
    <message>
        <source>合格の条件</source>
        <translation>Acceptance gate</translation>
    </message>
    <message>
        <source>条件</source>
        <translation>Condition</translation>
    </message>
    <message>
        <source>条件：{wanted}
結果：{found}</source>
        <translation>Condition: {wanted}
Result: {found}</translation>
    </message>
    <message>
        <source>結果</source>
        <translation>Result</translation>
    </message>
    <message>
        <source>項目</source>
        <translation>What</translation>
    </message>
</context>
<context>
    <name>GenerateDialog</name>
    <message>
        <source>1 組につき、モデルに 2 回以上尋ねます。残り時間は、始めてから表示します。途中で止めても続きから作れます。質問に答えている間は待ちます。</source>
        <translation>Each pair takes two prompts or more. The time left is shown once it has begun. It can be stopped and resumed, and it waits while questions are answered.</translation>
    </message>
    <message>
        <source>{n} 件、{s} 節</source>
        <translation>{n} documents, {s} sections</translation>
    </message>
    <message>
        <source>▲ モデルがまだありません。「モデル」の画面で取り込んでください。</source>
        <translation>▲ There is no model yet. Import one on the Models page.</translation>
    </message>
    <message>
        <source>▲ 小さなモデルなので、使える組はほとんどできません。8B 以上のモデルを勧めます。</source>
        <translation>▲ The model is small: hardly any of its pairs can be used. 8B or larger is advised.</translation>
    </message>
    <message>
        <source>▲ 読み取った資料がまだありません。「資料」の画面で追加してください。</source>
        <translation>▲ No documents have been read yet. Add some on the Documents page.</translation>
    </message>
    <message>
        <source>この PC のモデルが資料を読み、質問と回答の組を根拠の引用付きで作ります。学習に使う前に、一組ずつ見直します。</source>
        <translation>A model on this PC reads the documents and makes pairs of question and answer, each with the quote it rests on. You review each pair before it is trained on.</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>モデル</source>
        <translation>Model</translation>
    </message>
    <message>
        <source>作り始める</source>
        <translation>Start</translation>
    </message>
    <message>
        <source>作る前に確認します</source>
        <translation>You are asked before it begins</translation>
    </message>
    <message>
        <source>組の数</source>
        <translation>Pairs</translation>
    </message>
    <message>
        <source>資料から質問と回答を作りますか</source>
        <translation>Make questions and answers from documents?</translation>
    </message>
    <message>
        <source>資料集</source>
        <translation>Collection</translation>
    </message>
</context>
<context>
    <name>GoalStep</name>
    <message>
        <source>事実は、資料に追加すると出典付きで答えられ、原文で確かめられます。学習だけでは、数値や名称を取り違えることがあります。それでも学習に進むことはできます。</source>
        <translation>Facts in your documents are answered with their sources, and can be checked there. A model that was only fine-tuned may mix up numbers and names. You can go on all the same.</translation>
    </message>
    <message>
        <source>事実は資料に、書き方は学習に分けます。資料がまだなら、先に追加しておくと問答も作れます。</source>
        <translation>Facts go into the documents, the way of writing into the training. Add the documents first: pairs can be made from them, too.</translation>
    </message>
    <message>
        <source>何をしたいですか</source>
        <translation>What do you want?</translation>
    </message>
    <message>
        <source>学習でできること、できないこと</source>
        <translation>What fine-tuning can do, and what it cannot</translation>
    </message>
    <message>
        <source>学習を始める前に</source>
        <translation>Before you start</translation>
    </message>
    <message>
        <source>文体、書式、用語をそろえ、答えられない問いを断らせることができます。</source>
        <translation>It can unify style, format and terms, and make the model decline what it cannot answer.</translation>
    </message>
    <message>
        <source>新しい事実を確実に覚えさせることはできません。知らないことを、知っているかのように答える誤りが増えることもあります。</source>
        <translation>It cannot teach new facts reliably. The model may even answer more often as if it knew what it does not know.</translation>
    </message>
    <message>
        <source>資料に追加する</source>
        <translation>Add to the documents</translation>
    </message>
    <message>
        <source>質問と答えの組を 50 件以上、できれば数百件用意します。登録した資料から作ることもできます。</source>
        <translation>Prepare at least 50 pairs of question and answer, some hundreds if you can. They can also be made from your documents.</translation>
    </message>
</context>
<context>
    <name>GoldForm</name>
    <message>
        <source>根拠となる引用</source>
        <translation>Quotes as evidence</translation>
    </message>
    <message>
        <source>根拠を追加</source>
        <translation>Add evidence</translation>
    </message>
    <message>
        <source>正しい回答のもとになる資料の文です。引用が正しいか、正しい箇所を探し出せたかを測れます。</source>
        <translation>Words of a document that the right answer rests on. They show whether citations are right, and whether the right place was found.</translation>
    </message>
</context>
<context>
    <name>GoldRow</name>
    <message>
        <source>× ページは数字で書いてください。</source>
        <translation>× Write the page as a number.</translation>
    </message>
    <message>
        <source>× 引用を書くか、この根拠を除いてください。</source>
        <translation>× Write the quote, or remove this evidence.</translation>
    </message>
    <message>
        <source>この根拠を除く</source>
        <translation>Remove this evidence</translation>
    </message>
    <message>
        <source>ページ</source>
        <translation>Page</translation>
    </message>
    <message>
        <source>引用</source>
        <translation>Quote</translation>
    </message>
    <message>
        <source>資料の文をそのまま写します</source>
        <translation>Copy the words as they stand in the document</translation>
    </message>
    <message>
        <source>資料名</source>
        <translation>Document</translation>
    </message>
</context>
<context>
    <name>Grounds</name>
    <message>
        <source>「{value}」など {n} 件は引用元にありません。原文で確かめてください。</source>
        <translation>&quot;{value}&quot; and others ({n}) are not in the cited text. Check the original.</translation>
    </message>
    <message>
        <source>「{value}」など {n} 件は引用元の記述と合いません。原文で確かめてください。</source>
        <translation>&quot;{value}&quot; and others ({n}) do not agree with the cited text. Check the original.</translation>
    </message>
    <message>
        <source>「{value}」は引用元にありません。原文で確かめてください。</source>
        <translation>&quot;{value}&quot; is not in the cited text. Check the original.</translation>
    </message>
    <message>
        <source>「{value}」は引用元の記述と合いません。原文で確かめてください。</source>
        <translation>&quot;{value}&quot; does not agree with the cited text. Check the original.</translation>
    </message>
    <message>
        <source>」「</source>
        <translation>&quot;, &quot;</translation>
    </message>
    <message>
        <source>原文を見る</source>
        <translation>Open the source</translation>
    </message>
    <message>
        <source>対象の資料から答えを見つけられませんでした。</source>
        <translation>No answer was found in the documents asked.</translation>
    </message>
    <message>
        <source>対象の資料には、この質問に答える記載がありません。</source>
        <translation>The documents asked do not contain an answer to this question.</translation>
    </message>
    <message>
        <source>波線の文は、引用元に同じ内容が見つかりません。原文で確かめてください。</source>
        <translation>What is underlined was not found in the cited text. Check the original.</translation>
    </message>
    <message>
        <source>要確認 {n} 文</source>
        <translation>{n} sentences need checking</translation>
    </message>
    <message>
        <source>資料にありません</source>
        <translation>Not in your documents</translation>
    </message>
    <message>
        <source>資料を追加</source>
        <translation>Add documents</translation>
    </message>
    <message>
        <source>近い箇所を見る（{n}）</source>
        <translation>See near passages ({n})</translation>
    </message>
    <message>
        <source>途中までのため、照合していません。</source>
        <translation>Not checked, because the answer is not complete.</translation>
    </message>
</context>
<context>
    <name>Heading</name>
    <message>
        <source>回答：</source>
        <translation>Answer: </translation>
    </message>
    <message>
        <source>新しい質問</source>
        <translation>New question</translation>
    </message>
    <message>
        <source>質問：</source>
        <translation>Question: </translation>
    </message>
</context>
<context>
    <name>ImportDialog</name>
    <message>
        <source>{n} 問を取り込みますか</source>
        <translation>Import {n} questions?</translation>
    </message>
    <message>
        <source>▲ 問いにできない {n} 行は取り込みません</source>
        <translation>▲ {n} rows are no questions and will not be imported</translation>
    </message>
    <message>
        <source>はじめの問い</source>
        <translation>First questions</translation>
    </message>
    <message>
        <source>ほか {n} か所</source>
        <translation>{n} more places</translation>
    </message>
    <message>
        <source>ほか {n} 件</source>
        <translation>{n} more</translation>
    </message>
    <message>
        <source>ほか {n} 行</source>
        <translation>{n} more rows</translation>
    </message>
    <message>
        <source>シート「{sheet}」</source>
        <translation>Sheet &quot;{sheet}&quot;</translation>
    </message>
    <message>
        <source>付け替えた ID</source>
        <translation>IDs that were changed</translation>
    </message>
    <message>
        <source>使わない列</source>
        <translation>Columns not used</translation>
    </message>
    <message>
        <source>列の対応</source>
        <translation>Columns</translation>
    </message>
    <message>
        <source>取り込む</source>
        <translation>Import</translation>
    </message>
    <message>
        <source>同じ文の問いが {n} 問重なっています。</source>
        <translation>{n} questions repeat the words of an earlier one.</translation>
    </message>
    <message>
        <source>新しい質問集</source>
        <translation>New question set</translation>
    </message>
    <message>
        <source>確かめてください</source>
        <translation>Please check</translation>
    </message>
    <message>
        <source>空の行 {n} 行は数えていません。</source>
        <translation>{n} empty rows are not counted.</translation>
    </message>
    <message>
        <source>読まなかったシート</source>
        <translation>Sheets not read</translation>
    </message>
</context>
<context>
    <name>ImportedBox</name>
    <message>
        <source>ほか {n} 件</source>
        <translation>{n} more</translation>
    </message>
    <message>
        <source>ほかの人も書き換えられるファイルから取り込みました。内容は Kotae が確かめたものではありません。</source>
        <translation>It came in a file, which others can change. Kotae has not checked what it says.</translation>
    </message>
</context>
<context>
    <name>Importing</name>
    <message>
        <source>{name}：{value}</source>
        <translation>{name}: {value}</translation>
    </message>
    <message>
        <source>{n} 個のうち {m} 個を追加できませんでした。</source>
        <translation>{m} of {n} could not be added.</translation>
    </message>
    <message>
        <source>お試し用モデルを追加しています</source>
        <translation>Adding the trial model</translation>
    </message>
    <message>
        <source>モデルを追加しています</source>
        <translation>Adding a model</translation>
    </message>
    <message>
        <source>別のファイルを選ぶ</source>
        <translation>Choose another file</translation>
    </message>
    <message>
        <source>取り込んでいます（{place}）：{name}</source>
        <translation>Importing ({place}) {name}</translation>
    </message>
    <message>
        <source>取り込んでいます：{name}</source>
        <translation>Importing {name}</translation>
    </message>
</context>
<context>
    <name>JobDialog</name>
    <message>
        <source>{size} までのモデルは、いつも入ります。</source>
        <translation>Models of up to {size} always go along.</translation>
    </message>
    <message>
        <source>▲ 土台のモデルは入っていません。学習する PC で {files} に置いてください。</source>
        <translation>▲ The base model is not in it. Put it there on the other PC: {files}.</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>データ、学習のプログラム、手順書をフォルダにまとめます。GPU のある PC に移せば、Kotae がなくても学習できます。</source>
        <translation>Data, the training program and instructions go into one folder. A PC with a GPU can train from it without Kotae.</translation>
    </message>
    <message>
        <source>フォルダごと GPU のある PC に移し、中の README.md のとおりに実行します。終わったらフォルダを戻し、学習の一覧の「作業フォルダの結果を取り込む…」（右クリック）で取り込みます。</source>
        <translation>Move the whole folder to a computer with a GPU and follow the README.md in it. When it has finished, bring the folder back and take it in with “Take in the result of a work folder…” in the list of trainings (right click).</translation>
    </message>
    <message>
        <source>フォルダを作っています</source>
        <translation>Making the folder</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>作る</source>
        <translation>Make</translation>
    </message>
    <message>
        <source>作る場所</source>
        <translation>Where to</translation>
    </message>
    <message>
        <source>作業フォルダを作りました</source>
        <translation>The job folder is made</translation>
    </message>
    <message>
        <source>作業フォルダを作る場所</source>
        <translation>Where to make the job folder</translation>
    </message>
    <message>
        <source>別の PC 用の作業フォルダを作りますか</source>
        <translation>Make a job folder for another PC?</translation>
    </message>
    <message>
        <source>土台のモデルも入れる</source>
        <translation>Put the base model into it</translation>
    </message>
    <message>
        <source>空のフォルダか、新しいフォルダを選びます。</source>
        <translation>Choose an empty folder or a new one.</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>JudgePart</name>
    <message>
        <source>なし（規則だけで採点）</source>
        <translation>None (scored by rules alone)</translation>
    </message>
    <message>
        <source>回答を模範解答と比べ、0〜3 点を付けます。8B 未満のモデルの採点は、当てにならないことがあります。人の採点との一致は、結果の「ブラインド比較」で確かめられます。</source>
        <translation>Compares answers with the references and scores them 0 to 3. Scores of models below 8B may not be reliable. &quot;Blind comparison&quot; in the results shows how far it agrees with people.</translation>
    </message>
    <message>
        <source>採点モデル</source>
        <translation>Judge</translation>
    </message>
</context>
<context>
    <name>Kit</name>
    <message>
        <source>1. このフォルダを丸ごと USB メモリに入れ、使いたい PC につなぎます。</source>
        <translation>1. Put this whole folder on a USB stick and plug it into the other PC.</translation>
    </message>
    <message>
        <source>2. その PC の Kotae で「モデル」を開き、「持ち運びキット」の「キットを取り込む…」を選びます。</source>
        <translation>2. There, open Models in Kotae and choose Transfer kit, Import a kit….</translation>
    </message>
    <message>
        <source>3. このフォルダを選びます。壊れた部品があれば、その名前を示します。</source>
        <translation>3. Choose this folder. If a part is damaged, its name is shown.</translation>
    </message>
    <message>
        <source>{n} 個</source>
        <translation>{n}</translation>
    </message>
    <message>
        <source>{n} 個（読み直して確かめました）</source>
        <translation>{n} (read back and checked)</translation>
    </message>
    <message>
        <source>まだ取り込んでいないモデル：{names}</source>
        <translation>Not imported yet: {names}</translation>
    </message>
    <message>
        <source>もう一度取り込む</source>
        <translation>Import again</translation>
    </message>
    <message>
        <source>キットの一部を取り込めませんでした</source>
        <translation>Part of the kit could not be imported</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>モデル</source>
        <translation>Models</translation>
    </message>
    <message>
        <source>使いたい PC では、次のようにします。</source>
        <translation>On the other PC, do this.</translation>
    </message>
    <message>
        <source>取り込んだモデル：{names}</source>
        <translation>Imported: {names}</translation>
    </message>
    <message>
        <source>問題のあった部品</source>
        <translation>Parts with a problem</translation>
    </message>
    <message>
        <source>場所</source>
        <translation>Place</translation>
    </message>
    <message>
        <source>大きさ</source>
        <translation>Size</translation>
    </message>
    <message>
        <source>持ち運びキットを書き出しました</source>
        <translation>The transfer kit is written</translation>
    </message>
    <message>
        <source>部品</source>
        <translation>Parts</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>KitDialog</name>
    <message>
        <source>Python のファイル (*.tar.gz *.tgz *.tar.xz *.tar.bz2)</source>
        <translation>Python archives (*.tar.gz *.tgz *.tar.xz *.tar.bz2)</translation>
    </message>
    <message>
        <source>▲ 「外部通信をすべて止める」が入っているので、部品を取得できません。</source>
        <translation>▲ &quot;Block all outside traffic&quot; is on, so nothing can be fetched.</translation>
    </message>
    <message>
        <source>いっしょに入れる Python を選ぶ</source>
        <translation>Choose the Python to Go with It</translation>
    </message>
    <message>
        <source>いっしょに入れる Python（なくてもよい）</source>
        <translation>Python to go with it (optional)</translation>
    </message>
    <message>
        <source>キットのフォルダ</source>
        <translation>Folder of the kit</translation>
    </message>
    <message>
        <source>キットのフォルダを選ぶ</source>
        <translation>Choose the Folder of the Kit</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>ネットワークのない PC で学習環境を作るための部品を、USB メモリ（FAT32 でも可）などに集めます。</source>
        <translation>Collects what a PC without a network needs to make its training environment, on a memory stick (FAT32 will do) or the like.</translation>
    </message>
    <message>
        <source>使う PC</source>
        <translation>PC that will use it</translation>
    </message>
    <message>
        <source>使う PC に Python がないときに：{name}</source>
        <translation>For a PC without Python: {name}</translation>
    </message>
    <message>
        <source>学習環境キットを作りますか</source>
        <translation>Make a training environment kit?</translation>
    </message>
    <message>
        <source>書き出す</source>
        <translation>Write it</translation>
    </message>
    <message>
        <source>約 {size} になります。キットのフォルダを選んでください。</source>
        <translation>It will take about {size}. Choose the folder of the kit.</translation>
    </message>
    <message>
        <source>通信：pip の配布元（ふつうは pypi.org）から、約 {size} を取得します。</source>
        <translation>Network: about {size} from pip&apos;s package index (usually pypi.org).</translation>
    </message>
</context>
<context>
    <name>KitExportDialog</name>
    <message>
        <source>{n} 個で {size}。書き出す先に、同じだけの空きがいります。</source>
        <translation>Models: {n}, {size}. As much must be free where the kit is written.</translation>
    </message>
    <message>
        <source>どのモデルを持ち運びますか</source>
        <translation>Which models do you want to carry?</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>ネットワークのない PC へ、USB メモリで運ぶためのフォルダを作ります。3.9 GB ごとの部品に分けるので、FAT32 の USB メモリにも入ります。</source>
        <translation>Makes a folder that a USB stick can carry to a PC without a network, in parts of 3.9 GB that FAT32 takes.</translation>
    </message>
    <message>
        <source>持ち運ぶモデル</source>
        <translation>Models to carry</translation>
    </message>
    <message>
        <source>持ち運ぶモデルに印を付けてください。</source>
        <translation>Tick the models to carry.</translation>
    </message>
    <message>
        <source>書き出す場所を選ぶ…</source>
        <translation>Choose where to write…</translation>
    </message>
    <message>
        <source>自分で作ったプリセットも入ります。会話は入りません。</source>
        <translation>Your own presets go along. Conversations do not.</translation>
    </message>
</context>
<context>
    <name>KitMenu</name>
    <message>
        <source>キットを取り込む…</source>
        <translation>Import a kit…</translation>
    </message>
    <message>
        <source>キットを書き出す…</source>
        <translation>Write a kit…</translation>
    </message>
</context>
<context>
    <name>LatestButton</name>
    <message>
        <source>最新へ</source>
        <translation>Latest</translation>
    </message>
</context>
<context>
    <name>LengthsTab</name>
    <message>
        <source>{a} 文字より長い</source>
        <translation>More than {a} characters</translation>
    </message>
    <message>
        <source>{a}～{b} 文字</source>
        <translation>{a} to {b} characters</translation>
    </message>
    <message>
        <source>✓ ありません。</source>
        <translation>✓ None.</translation>
    </message>
    <message>
        <source>ほかのグループに {n} 行あります。</source>
        <translation>{n} rows are in other groups.</translation>
    </message>
    <message>
        <source>ほかの回答より飛び抜けて長い、または短い回答です。Enter キーで「見直し」を開きます。</source>
        <translation>Answers that are far longer or shorter than the others. Enter opens one under Review.</translation>
    </message>
    <message>
        <source>グループ</source>
        <translation>Group</translation>
    </message>
    <message>
        <source>使える行がまだありません。</source>
        <translation>There are no rows that can be used yet.</translation>
    </message>
    <message>
        <source>回答の長さ</source>
        <translation>Length of answers</translation>
    </message>
    <message>
        <source>数えています…</source>
        <translation>Counting…</translation>
    </message>
    <message>
        <source>文字数</source>
        <translation>Characters</translation>
    </message>
    <message>
        <source>行</source>
        <translation>Row</translation>
    </message>
    <message>
        <source>質問</source>
        <translation>Question</translation>
    </message>
    <message>
        <source>質問の種類</source>
        <translation>Kind of question</translation>
    </message>
    <message>
        <source>長さが離れた回答</source>
        <translation>Answers of quite another length</translation>
    </message>
    <message>
        <source>長さが離れた回答 {n}</source>
        <translation>Answers of quite another length: {n}</translation>
    </message>
    <message>
        <source>（そのほか）</source>
        <translation>(others)</translation>
    </message>
    <message>
        <source>（なし）</source>
        <translation>(none)</translation>
    </message>
</context>
<context>
    <name>Licences</name>
    <message>
        <source>Python の部品</source>
        <translation>Python package</translation>
    </message>
    <message>
        <source>モデル</source>
        <translation>Model</translation>
    </message>
    <message>
        <source>ライブラリ</source>
        <translation>Library</translation>
    </message>
    <message>
        <source>書体とアイコン</source>
        <translation>Fonts and icons</translation>
    </message>
</context>
<context>
    <name>LicencesWindow</name>
    <message>
        <source>Kotae は Apache License 2.0 です。そのほかに次の部品を使っています。Qt は LGPL-3.0 で使っており、別の Qt に入れ替えられます（方法は「Qt」の文面にあります）。</source>
        <translation>Kotae is under the Apache License 2.0. It also contains these parts. Qt is used under the LGPL-3.0 and can be exchanged for another Qt (the text of &quot;Qt&quot; says how).</translation>
    </message>
    <message>
        <source>{n} 個の部品</source>
        <translation>{n} parts</translation>
    </message>
    <message>
        <source>コピーしました。</source>
        <translation>Copied.</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>ライセンス</source>
        <translation>Licences</translation>
    </message>
    <message>
        <source>ライセンスの文面</source>
        <translation>Licence text</translation>
    </message>
    <message>
        <source>名前かライセンスで絞り込む</source>
        <translation>Filter by name or licence</translation>
    </message>
    <message>
        <source>文面をコピー</source>
        <translation>Copy text</translation>
    </message>
    <message>
        <source>見つかりません。</source>
        <translation>Nothing found.</translation>
    </message>
    <message>
        <source>読み込んでいます…</source>
        <translation>Loading…</translation>
    </message>
    <message>
        <source>部品の一覧</source>
        <translation>List of parts</translation>
    </message>
    <message>
        <source>部品を選ぶとコピーできます。</source>
        <translation>Choose a part to copy its text.</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>LikeView</name>
    <message>
        <source>この行に移る</source>
        <translation>Go to this row</translation>
    </message>
    <message>
        <source>似ている行：{place}</source>
        <translation>Similar: {place}</translation>
    </message>
    <message>
        <source>回答</source>
        <translation>Answer</translation>
    </message>
    <message>
        <source>質問</source>
        <translation>Question</translation>
    </message>
</context>
<context>
    <name>LinkDialog</name>
    <message>
        <source>このリンクを開きますか</source>
        <translation>Open this link?</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>ブラウザーで {host} に接続します。モデルが書いた行き先です。内容を確かめてください。</source>
        <translation>Your browser will connect to {host}. A model wrote this address, so check it first.</translation>
    </message>
    <message>
        <source>ブラウザーで開く</source>
        <translation>Open in the browser</translation>
    </message>
    <message>
        <source>行き先の全体</source>
        <translation>The whole address</translation>
    </message>
</context>
<context>
    <name>ListActions</name>
    <message>
        <source>{n} 件の会話を「{title}」に移しました。</source>
        <translation>Moved {n} conversations to &quot;{title}&quot;.</translation>
    </message>
    <message>
        <source>{n} 件の会話をごみ箱に移しました。30 日間戻せます。</source>
        <translation>Moved {n} conversations to the bin. You can restore them for 30 days.</translation>
    </message>
    <message>
        <source>{n} 件の会話をフォルダから出しました。</source>
        <translation>Took {n} conversations out of their folder.</translation>
    </message>
    <message>
        <source>「{title}」を「{folder}」に移しました。</source>
        <translation>Moved &quot;{title}&quot; to &quot;{folder}&quot;.</translation>
    </message>
    <message>
        <source>「{title}」をごみ箱に移しました。30 日間戻せます。</source>
        <translation>Moved &quot;{title}&quot; to the bin. You can restore it for 30 days.</translation>
    </message>
    <message>
        <source>「{title}」をフォルダから出しました。</source>
        <translation>Took &quot;{title}&quot; out of its folder.</translation>
    </message>
    <message>
        <source>フォルダ「{title}」を削除しました。会話は残っています。</source>
        <translation>Deleted the folder &quot;{title}&quot;. Its conversations are still here.</translation>
    </message>
    <message>
        <source>新しいフォルダ</source>
        <translation>New folder</translation>
    </message>
</context>
<context>
    <name>Lock</name>
    <message>
        <source>分割は古くなりました</source>
        <translation>The split is out of date</translation>
    </message>
    <message>
        <source>分割は未固定</source>
        <translation>Not split yet</translation>
    </message>
    <message>
        <source>試験 {n} は固定</source>
        <translation>Test {n} held fast</translation>
    </message>
</context>
<context>
    <name>LossCard</name>
    <message>
        <source>{n} ステップごとの値と、検証したところを並べています。</source>
        <translation>One step in {n}, and all that was evaluated.</translation>
    </message>
    <message>
        <source>グラフで見る</source>
        <translation>Show as a plot</translation>
    </message>
    <message>
        <source>学習（平滑）</source>
        <translation>Training (smoothed)</translation>
    </message>
    <message>
        <source>損失（正解文の NLL、nats／トークン）</source>
        <translation>Loss (NLL of the reference, nats per token)</translation>
    </message>
    <message>
        <source>最初の値を待っています。</source>
        <translation>Waiting for the first value.</translation>
    </message>
    <message>
        <source>検証</source>
        <translation>Validation</translation>
    </message>
    <message>
        <source>表で見る</source>
        <translation>Show as a table</translation>
    </message>
</context>
<context>
    <name>LossPlot</name>
    <message>
        <source>ステップ</source>
        <translation>Step</translation>
    </message>
    <message>
        <source>学習前 {base}、最良 {best}、{n} ステップ</source>
        <translation>Before {base}, best {best}, {n} steps</translation>
    </message>
    <message>
        <source>学習前 {loss}</source>
        <translation>Before {loss}</translation>
    </message>
    <message>
        <source>損失の曲線</source>
        <translation>Loss curves</translation>
    </message>
    <message>
        <source>最良 {loss}（{s}）</source>
        <translation>Best {loss} ({s})</translation>
    </message>
    <message>
        <source>現在 {s}</source>
        <translation>Now {s}</translation>
    </message>
</context>
<context>
    <name>MachineLine</name>
    <message>
        <source>CPU {n} コア</source>
        <translation>CPU {n} cores</translation>
    </message>
    <message>
        <source>この PC</source>
        <translation>This PC</translation>
    </message>
    <message>
        <source>ほかのプログラムが {n} GB 使用中</source>
        <translation>other programs use {n} GB</translation>
    </message>
    <message>
        <source>メモリ {a} GB（空き {b} GB）</source>
        <translation>Memory {a} GB ({b} GB free)</translation>
    </message>
    <message>
        <source>保存先の空き {n} GB</source>
        <translation>{n} GB of disk free</translation>
    </message>
    <message>
        <source>数秒のあいだ CPU とメモリを使って測り、モデルごとの速さを予測します。</source>
        <translation>Uses the CPU and memory for a few seconds and predicts the speed of each model.</translation>
    </message>
    <message>
        <source>測っています…</source>
        <translation>Measuring…</translation>
    </message>
    <message>
        <source>速さを測って予測する</source>
        <translation>Measure and predict speeds</translation>
    </message>
    <message>
        <source>速さを測り直す</source>
        <translation>Measure again</translation>
    </message>
</context>
<context>
    <name>MachinePanel</name>
    <message>
        <source>GPU メモリ</source>
        <translation>GPU memory</translation>
    </message>
    <message>
        <source>✓ 土台のモデルにお試し用モデルを選びました。</source>
        <translation>✓ The trial model is now the base model.</translation>
    </message>
    <message>
        <source>お試し用モデルで練習する</source>
        <translation>Practise with the trial model</translation>
    </message>
    <message>
        <source>お試し用モデルを追加する</source>
        <translation>Add the trial model</translation>
    </message>
    <message>
        <source>この PC</source>
        <translation>This PC</translation>
    </message>
    <message>
        <source>ディスク</source>
        <translation>Disk</translation>
    </message>
    <message>
        <source>ドライバー</source>
        <translation>Driver</translation>
    </message>
    <message>
        <source>メモリ</source>
        <translation>Memory</translation>
    </message>
    <message>
        <source>不明</source>
        <translation>Not known</translation>
    </message>
    <message>
        <source>作業フォルダは、データと土台のモデルを決めてから、ここか「確認」の画面で作れます。</source>
        <translation>The job folder needs data and a base model. Once they are chosen, make it here or on the page Check.</translation>
    </message>
    <message>
        <source>別の PC 用の作業フォルダを作る…</source>
        <translation>Make a job folder for another PC…</translation>
    </message>
    <message>
        <source>測り直す</source>
        <translation>Measure again</translation>
    </message>
    <message>
        <source>空き {free} GB</source>
        <translation>{free} GB free</translation>
    </message>
    <message>
        <source>空き {free} GB／{total} GB</source>
        <translation>{free} of {total} GB free</translation>
    </message>
    <message>
        <source>見つかりません</source>
        <translation>None found</translation>
    </message>
    <message>
        <source>調べています…</source>
        <translation>Looking…</translation>
    </message>
</context>
<context>
    <name>MachineStep</name>
    <message>
        <source>8B などはモデルの大きさです（B は 10 億）。大きいほど回答は正確になりますが、遅くなります。</source>
        <translation>8B and the like are sizes of models (B is a billion). Larger ones answer better, but more slowly.</translation>
    </message>
    <message>
        <source>{a} GB（空き {b} GB）</source>
        <translation>{a} GB ({b} GB free)</translation>
    </message>
    <message>
        <source>{name}：{value}</source>
        <translation>{name}: {value}</translation>
    </message>
    <message>
        <source>▲ 保存先の空きが足りません。ファイルを置く場所を空けてください。</source>
        <translation>▲ There is not enough disk space. Make room for the file.</translation>
    </message>
    <message>
        <source>いまの空きメモリでは、1B のモデルでも余裕がありません。</source>
        <translation>Free memory is tight even for a 1B model at the moment.</translation>
    </message>
    <message>
        <source>おすすめは {size} のモデルです。</source>
        <translation>Recommended model size: {size}</translation>
    </message>
    <message>
        <source>この PC でできること</source>
        <translation>What this PC can do</translation>
    </message>
    <message>
        <source>ほかのプログラムを閉じると、使えるメモリが増えます。</source>
        <translation>Closing other programs frees memory.</translation>
    </message>
    <message>
        <source>メモリ</source>
        <translation>Memory</translation>
    </message>
    <message>
        <source>メモリには {size} まで余裕をもって入ります。</source>
        <translation>Models up to {size} fit into memory comfortably.</translation>
    </message>
    <message>
        <source>保存先の空き</source>
        <translation>Disk space free</translation>
    </message>
    <message>
        <source>回答に使えるかは、モデルを読み込むときに確かめます。</source>
        <translation>Whether it can be used is checked when a model is loaded.</translation>
    </message>
    <message>
        <source>必要なメモリは約 {need} GB、ファイルは約 {file} GB です（Q4_K_M、文脈 {n} トークン）。</source>
        <translation>It needs about {need} GB of memory; the file is about {file} GB (Q4_K_M, context of {n} tokens).</translation>
    </message>
    <message>
        <source>業務向けの {size} には、空きメモリが足りません（約 {need} GB 必要です）。</source>
        <translation>There is not enough free memory for {size}, which is recommended for work (about {need} GB needed).</translation>
    </message>
    <message>
        <source>業務向けの {size} も動きますが、メモリの余裕はわずかです。</source>
        <translation>{size}, recommended for work, runs too, with little memory to spare.</translation>
    </message>
    <message>
        <source>物理コア {n} 個</source>
        <translation>{n} physical cores</translation>
    </message>
    <message>
        <source>見つかりません。CPU で回答します。</source>
        <translation>None found. Answers are computed on the CPU.</translation>
    </message>
    <message>
        <source>調べています…</source>
        <translation>Checking…</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>モデル</source>
        <translation>Models</translation>
    </message>
    <message>
        <source>一時的な会話を閉じました。</source>
        <translation>The temporary chat was closed.</translation>
    </message>
    <message>
        <source>会話とページの一覧</source>
        <translation>Conversations and pages</translation>
    </message>
    <message>
        <source>学習</source>
        <translation>Fine-tuning</translation>
    </message>
    <message>
        <source>設定</source>
        <translation>Settings</translation>
    </message>
    <message>
        <source>評価</source>
        <translation>Evaluation</translation>
    </message>
    <message>
        <source>資料</source>
        <translation>Documents</translation>
    </message>
    <message>
        <source>質問</source>
        <translation>Ask</translation>
    </message>
</context>
<context>
    <name>MakeDialog</name>
    <message>
        <source>CPU 用</source>
        <translation>For CPUs</translation>
    </message>
    <message>
        <source>GPU 用（CUDA）</source>
        <translation>For GPUs (CUDA)</translation>
    </message>
    <message>
        <source>Python {version} も、その配布元（{hosts}）から取得します。</source>
        <translation>Python {version} is fetched, too, from its makers ({hosts}).</translation>
    </message>
    <message>
        <source>▲ 「外部通信をすべて止める」が入っています。学習環境キットから、オフラインで作れます。</source>
        <translation>▲ &quot;Block all outside traffic&quot; is on. It can be made offline, from a training environment kit.</translation>
    </message>
    <message>
        <source>オフラインで作る…</source>
        <translation>Make it offline…</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>モデルの変換と学習に使う Python と torch などを入れます。数分かかります。いまのものは、新しいものが動くと確かめてから入れ替え、ひとつ前として残します（場所を変えるときは消します）。</source>
        <translation>Installs Python, torch and what else converting and training need, in some minutes. What you have now stays as the previous one (it is deleted if you change the place).</translation>
    </message>
    <message>
        <source>作る</source>
        <translation>Create</translation>
    </message>
    <message>
        <source>入れる場所</source>
        <translation>Place</translation>
    </message>
    <message>
        <source>学習環境を作りますか</source>
        <translation>Make the training environment?</translation>
    </message>
    <message>
        <source>学習環境を入れる場所を選ぶ</source>
        <translation>Choose the place for the training environment</translation>
    </message>
    <message>
        <source>最大 {need} 使います（空き {free}）。</source>
        <translation>Uses up to {need} ({free} free).</translation>
    </message>
    <message>
        <source>空きが足りません。別の場所を選ぶか、不要なファイルを消してください。</source>
        <translation>There is not enough space. Choose another place, or delete files that you do not need.</translation>
    </message>
    <message>
        <source>自動（この PC に合わせる）</source>
        <translation>Automatic (what suits this PC)</translation>
    </message>
    <message>
        <source>調べています…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>通信はしません。{folder} の学習環境キット（またはホイール）から作ります。</source>
        <translation>Nothing is fetched: it is made from the training environment kit (or the wheels) in {folder}.</translation>
    </message>
    <message>
        <source>通信：pip の配布元（ふつうは pypi.org）から、約 {size} を取得します。</source>
        <translation>Network: about {size} from pip&apos;s package index (usually pypi.org).</translation>
    </message>
    <message>
        <source>通信：pip の配布元（ふつうは pypi.org）から取得します。</source>
        <translation>Network: from pip&apos;s package index (usually pypi.org).</translation>
    </message>
    <message>
        <source>部品の種類</source>
        <translation>Kind of parts</translation>
    </message>
</context>
<context>
    <name>ManualWindow</name>
    <message>
        <source>Kotae の使い方</source>
        <translation>How to use Kotae</translation>
    </message>
</context>
<context>
    <name>Markdown</name>
    <message>
        <source>〔画像：{what}〕</source>
        <translation>[Image: {what}]</translation>
    </message>
</context>
<context>
    <name>MeaningLine</name>
    <message>
        <source>意味検索の準備 {a}／{b}</source>
        <translation>Preparing the search by meaning: {a} of {b}</translation>
    </message>
    <message>
        <source>意味検索の準備 {a}／{b}（回答中は休みます）</source>
        <translation>Preparing the search by meaning: {a} of {b} (resting while an answer is written)</translation>
    </message>
    <message>
        <source>意味検索の準備ができません：{why} 検索は言葉だけで行います。</source>
        <translation>The search by meaning cannot be prepared: {why} Searching goes on by words alone.</translation>
    </message>
    <message>
        <source>意味検索の準備：ほかの Kotae（コマンド）が行っています</source>
        <translation>Preparing the search by meaning: another Kotae (a command) is doing it</translation>
    </message>
</context>
<context>
    <name>Measured</name>
    <message>
        <source>GPU メモリ</source>
        <translation>GPU memory</translation>
    </message>
    <message>
        <source>メモリ</source>
        <translation>Memory</translation>
    </message>
    <message>
        <source>勾配ノルム</source>
        <translation>Gradient norm</translation>
    </message>
    <message>
        <source>学習率</source>
        <translation>Learning rate</translation>
    </message>
</context>
<context>
    <name>MemoryBar</name>
    <message>
        <source>KV キャッシュ</source>
        <translation>KV cache</translation>
    </message>
    <message>
        <source>そのほか（目安）</source>
        <translation>Rest (estimate)</translation>
    </message>
    <message>
        <source>ほかのプログラム</source>
        <translation>Other programs</translation>
    </message>
    <message>
        <source>メモリの内訳</source>
        <translation>Memory use</translation>
    </message>
    <message>
        <source>空き</source>
        <translation>Free</translation>
    </message>
    <message>
        <source>計算用</source>
        <translation>Compute buffers</translation>
    </message>
    <message>
        <source>重み</source>
        <translation>Weights</translation>
    </message>
</context>
<context>
    <name>MessageView</name>
    <message>
        <source>続きを表示（残り {n} 文字）</source>
        <translation>Show more ({n} characters left)</translation>
    </message>
</context>
<context>
    <name>ModelDelegate</name>
    <message>
        <source>使用中</source>
        <translation>In use</translation>
    </message>
    <message>
        <source>学習済み</source>
        <translation>Tuned</translation>
    </message>
</context>
<context>
    <name>ModelDetail</name>
    <message>
        <source>GGUF ファイルか持ち運びキットの取り込みで追加できます。</source>
        <translation>Add it by importing a GGUF file or a transfer kit.</translation>
    </message>
    <message>
        <source>GPU メモリの内訳</source>
        <translation>GPU memory use</translation>
    </message>
    <message>
        <source>USB メモリの持ち運びキットか、ファイルのあるフォルダから追加できます。</source>
        <translation>It can be added from a transfer kit on a USB stick, or from a folder that has the file.</translation>
    </message>
    <message>
        <source>{form} もダウンロード（{size}）</source>
        <translation>Also download {form} ({size})</translation>
    </message>
    <message>
        <source>{n} 次元</source>
        <translation>{n} dimensions</translation>
    </message>
    <message>
        <source>▲ 外部通信を止めているため使えません。「設定」の「通信」で変えられます。</source>
        <translation>▲ Outside traffic is blocked, so it cannot be used. Settings, Network changes that.</translation>
    </message>
    <message>
        <source>✓ 質問で使っています</source>
        <translation>✓ In use for questions</translation>
    </message>
    <message>
        <source>お試し用を追加</source>
        <translation>Add the trial model</translation>
    </message>
    <message>
        <source>お願い</source>
        <translation>What it asks</translation>
    </message>
    <message>
        <source>アダプター</source>
        <translation>Adapter</translation>
    </message>
    <message>
        <source>キットを取り込む</source>
        <translation>Import a kit</translation>
    </message>
    <message>
        <source>ダウンロード</source>
        <translation>Download</translation>
    </message>
    <message>
        <source>ダウンロード（{size}）</source>
        <translation>Download ({size})</translation>
    </message>
    <message>
        <source>ファイル</source>
        <translation>File</translation>
    </message>
    <message>
        <source>ファイルの中の名前によります。中身はカタログの値と照合していません</source>
        <translation>By the name inside the file; its content was not compared with the catalogue</translation>
    </message>
    <message>
        <source>ファイルをすべて読み、壊れたり変わったりしていないかを確かめます。</source>
        <translation>Reads the whole file and checks that it is neither damaged nor changed.</translation>
    </message>
    <message>
        <source>ファイルを検証</source>
        <translation>Verify file</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>ベクトル</source>
        <translation>Vectors</translation>
    </message>
    <message>
        <source>メモリの内訳</source>
        <translation>Memory use</translation>
    </message>
    <message>
        <source>一覧から外す</source>
        <translation>Take off the list</translation>
    </message>
    <message>
        <source>一覧から外す…</source>
        <translation>Take off the list…</translation>
    </message>
    <message>
        <source>一覧に戻る</source>
        <translation>Back to the list</translation>
    </message>
    <message>
        <source>予測</source>
        <translation>Predicted</translation>
    </message>
    <message>
        <source>付属のアダプター</source>
        <translation>Adapter it comes with</translation>
    </message>
    <message>
        <source>使用条件</source>
        <translation>Licence</translation>
    </message>
    <message>
        <source>使用条件の全文を読む</source>
        <translation>Read the licence in full</translation>
    </message>
    <message>
        <source>使用条件を読んでから追加してください。</source>
        <translation>Read the licence before you add it.</translation>
    </message>
    <message>
        <source>元のモデル</source>
        <translation>Base model</translation>
    </message>
    <message>
        <source>元のモデルに戻す</source>
        <translation>Back to the base model</translation>
    </message>
    <message>
        <source>別の入手元</source>
        <translation>Another source</translation>
    </message>
    <message>
        <source>前回の実測</source>
        <translation>Last measured</translation>
    </message>
    <message>
        <source>大きさ</source>
        <translation>Size</translation>
    </message>
    <message>
        <source>学習</source>
        <translation>Training run</translation>
    </message>
    <message>
        <source>学習の土台</source>
        <translation>Base for fine-tuning</translation>
    </message>
    <message>
        <source>形式</source>
        <translation>Format</translation>
    </message>
    <message>
        <source>接続を変える…</source>
        <translation>Change connection…</translation>
    </message>
    <message>
        <source>数値を丸めて小さくした形です。小さいほど速く、品質は少し下がります</source>
        <translation>Numbers rounded to take less room. Smaller is faster, at slightly lower quality</translation>
    </message>
    <message>
        <source>文脈 {n}</source>
        <translation>Context {n}</translation>
    </message>
    <message>
        <source>文脈の長さ</source>
        <translation>Context length</translation>
    </message>
    <message>
        <source>最大 {tokens}</source>
        <translation>up to {tokens}</translation>
    </message>
    <message>
        <source>最後の検証：{result}</source>
        <translation>Last verified: {result}</translation>
    </message>
    <message>
        <source>未確認</source>
        <translation>unconfirmed</translation>
    </message>
    <message>
        <source>見分け方</source>
        <translation>Recognized</translation>
    </message>
    <message>
        <source>詳細（読み込み後の実際の値）</source>
        <translation>Details (actual values after loading)</translation>
    </message>
    <message>
        <source>質問で使う</source>
        <translation>Use for questions</translation>
    </message>
    <message>
        <source>質問で使うと、読み込んだあとの実際の値がここに表示されます。</source>
        <translation>The actual values appear here once the model is loaded for a question.</translation>
    </message>
    <message>
        <source>質問への答え方を学習したもの。答えるときに使います</source>
        <translation>Trained to answer questions; used for every answer</translation>
    </message>
    <message>
        <source>追加しています…</source>
        <translation>Adding…</translation>
    </message>
    <message>
        <source>通信が許可されていません。</source>
        <translation>Network access is off.</translation>
    </message>
    <message>
        <source>通信の設定を開く</source>
        <translation>Network settings</translation>
    </message>
    <message>
        <source>配布元で確かめてください</source>
        <translation>See where it is published</translation>
    </message>
    <message>
        <source>量子化を選ぶ</source>
        <translation>Choose a quantization</translation>
    </message>
</context>
<context>
    <name>ModelList</name>
    <message>
        <source>LAN のサーバーのモデル</source>
        <translation>Models of servers in the LAN</translation>
    </message>
    <message>
        <source>この PC のモデル</source>
        <translation>Models on this PC</translation>
    </message>
    <message>
        <source>ダウンロード</source>
        <translation>Download</translation>
    </message>
    <message>
        <source>追加できるモデル</source>
        <translation>Models you can add</translation>
    </message>
</context>
<context>
    <name>ModelMenu</name>
    <message>
        <source>LAN のサーバーを使う…</source>
        <translation>Use a server in the LAN…</translation>
    </message>
    <message>
        <source>すべて検証</source>
        <translation>Verify all</translation>
    </message>
    <message>
        <source>ほかのアプリのモデルを探す</source>
        <translation>Find models of other apps</translation>
    </message>
    <message>
        <source>キットを取り込む…</source>
        <translation>Import a kit…</translation>
    </message>
    <message>
        <source>キットを書き出す…</source>
        <translation>Write a kit…</translation>
    </message>
    <message>
        <source>モデルの保存先を変える…</source>
        <translation>Change the models folder…</translation>
    </message>
    <message>
        <source>モデルを作る…</source>
        <translation>Build a model…</translation>
    </message>
</context>
<context>
    <name>ModelSection</name>
    <message>
        <source> スレッド</source>
        <translation> threads</translation>
    </message>
    <message>
        <source>GPU の部品</source>
        <translation>Part for graphics cards</translation>
    </message>
    <message>
        <source>KV の精度</source>
        <translation>KV precision</translation>
    </message>
    <message>
        <source>「自動」は物理コア数から 1 を引いた数です。ほかのプログラムが忙しいときは減らします。</source>
        <translation>&quot;Automatic&quot; is one less than the number of physical cores, and fewer while other programs are busy.</translation>
    </message>
    <message>
        <source>しない</source>
        <translation>No</translation>
    </message>
    <message>
        <source>する</source>
        <translation>Yes</translation>
    </message>
    <message>
        <source>すると回答が速くなりますが、メモリを 1.6 倍ほど使い、長い文章の読み込みは遅くなります。「自動」は両方を測って速いほうを選びます。</source>
        <translation>Makes answers faster, but takes about 1.6 times the memory and reads long texts more slowly. &quot;Automatic&quot; measures both and takes the faster.</translation>
    </message>
    <message>
        <source>グラフィックスカードで計算する部品です。配布ファイルから追加します。通信はしません。</source>
        <translation>Computes on a graphics card. Added from a file that comes with Kotae; no network is used.</translation>
    </message>
    <message>
        <source>スレッド数</source>
        <translation>Threads</translation>
    </message>
    <message>
        <source>スレッド数などの細かい設定は、「表示」の「表示のくわしさ」で「詳細」を選ぶと出ます。</source>
        <translation>Threads and other fine settings appear when &quot;Level of detail&quot; under &quot;Appearance&quot; is &quot;Detailed&quot;.</translation>
    </message>
    <message>
        <source>モデルの保存先</source>
        <translation>Model folder</translation>
    </message>
    <message>
        <source>取り込んだキットとダウンロードしたモデルを、ここに置きます。</source>
        <translation>Imported kits and downloaded models are put here.</translation>
    </message>
    <message>
        <source>標準（f16）</source>
        <translation>Standard (f16)</translation>
    </message>
    <message>
        <source>省メモリ（q8_0）</source>
        <translation>Less memory (q8_0)</translation>
    </message>
    <message>
        <source>自動</source>
        <translation>Automatic</translation>
    </message>
    <message>
        <source>読んだ会話を覚えておく細かさです。省メモリにすると、文脈に使うメモリがほぼ半分になります。</source>
        <translation>How finely the conversation read so far is remembered. Saving memory halves what the context takes, roughly.</translation>
    </message>
    <message>
        <source>重みの並べ替え</source>
        <translation>Repacking of weights</translation>
    </message>
</context>
<context>
    <name>ModelStep</name>
    <message>
        <source>{n} 件を変更</source>
        <translation>{n} changed</translation>
    </message>
    <message>
        <source>▲ 時間とメモリを見積もれません。{reason}</source>
        <translation>▲ Time and memory cannot be estimated. {reason}</translation>
    </message>
    <message>
        <source>✓ {name} を質問に使います。</source>
        <translation>✓ {name} is used for questions.</translation>
    </message>
    <message>
        <source>お持ちの GGUF ファイルを、いまの場所に置いたまま使います。使用条件は配布元で確かめてください。</source>
        <translation>Uses a GGUF file you have, where it is. See its licence where it is published.</translation>
    </message>
    <message>
        <source>お試し用ではじめる</source>
        <translation>Start with the trial model</translation>
    </message>
    <message>
        <source>お試し用のキットを取り込む…</source>
        <translation>Import the trial kit…</translation>
    </message>
    <message>
        <source>お試し用モデルを追加しています</source>
        <translation>Adding the trial model</translation>
    </message>
    <message>
        <source>データの文字数と、この PC の速さからの見積もりです。「確認」で 3 ステップ試すと、実際の値が分かります。</source>
        <translation>Estimated from the letters of your data and the speed of this PC. A 3-step trial under Check shows the real values.</translation>
    </message>
    <message>
        <source>データを分けると、時間とメモリの見積もりが出ます。</source>
        <translation>Split the data to see estimates of time and memory.</translation>
    </message>
    <message>
        <source>ファイルから</source>
        <translation>From a file</translation>
    </message>
    <message>
        <source>ファイルを選ぶ…</source>
        <translation>Choose a file…</translation>
    </message>
    <message>
        <source>モデルを追加しています</source>
        <translation>Adding a model</translation>
    </message>
    <message>
        <source>モデルを選ぶ</source>
        <translation>Choose a model</translation>
    </message>
    <message>
        <source>使用条件の全文を読む</source>
        <translation>Read the licence in full</translation>
    </message>
    <message>
        <source>使用条件：{name}</source>
        <translation>Licence: {name}</translation>
    </message>
    <message>
        <source>別のファイルを選ぶ</source>
        <translation>Choose another file</translation>
    </message>
    <message>
        <source>取り込んでいます：{name}</source>
        <translation>Importing {name}</translation>
    </message>
    <message>
        <source>回答を書くモデルを追加します。ネットワークを使うのは、ダウンロードを選んだときだけです。</source>
        <translation>Add a model that writes answers. The network is used only if you choose a download.</translation>
    </message>
    <message>
        <source>土台のモデルを選ぶと、時間とメモリの見積もりが出ます。</source>
        <translation>Choose a base model to see estimates of time and memory.</translation>
    </message>
    <message>
        <source>学習のしかた</source>
        <translation>How to train</translation>
    </message>
    <message>
        <source>詳しい設定をたたむ</source>
        <translation>Hide details</translation>
    </message>
    <message>
        <source>詳しい設定を開く</source>
        <translation>Show details</translation>
    </message>
</context>
<context>
    <name>ModelTabs</name>
    <message>
        <source>取り込み済み</source>
        <translation>On this PC</translation>
    </message>
    <message>
        <source>名前、特徴で絞り込む</source>
        <translation>Filter by name or feature</translation>
    </message>
    <message>
        <source>回答用</source>
        <translation>For answers</translation>
    </message>
    <message>
        <source>絞り込む</source>
        <translation>Filter</translation>
    </message>
    <message>
        <source>資料検索用</source>
        <translation>For document search</translation>
    </message>
</context>
<context>
    <name>ModelView</name>
    <message>
        <source>モデルの一覧</source>
        <translation>Models</translation>
    </message>
</context>
<context>
    <name>Models</name>
    <message>
        <source>Flash Attention</source>
        <translation>Flash Attention</translation>
    </message>
    <message>
        <source>GGUF ファイル (*.gguf);;すべてのファイル (*)</source>
        <translation>GGUF files (*.gguf);;All files (*)</translation>
    </message>
    <message>
        <source>GGUF ファイルを選ぶ</source>
        <translation>Choose a GGUF file</translation>
    </message>
    <message>
        <source>GPU {a}／{b} 層</source>
        <translation>GPU {a}/{b} layers</translation>
    </message>
    <message>
        <source>GPU への読み込みに失敗しました</source>
        <translation>loading onto the GPU failed</translation>
    </message>
    <message>
        <source>KV の精度</source>
        <translation>KV precision</translation>
    </message>
    <message>
        <source>KV キャッシュ</source>
        <translation>KV cache</translation>
    </message>
    <message>
        <source>Kotae の外で、インターネットに接続します：
{url}</source>
        <translation>This connects to the internet, outside Kotae:
{url}</translation>
    </message>
    <message>
        <source>{how}：読み {p}、回答 {a} tok/s</source>
        <translation>{how}: reading {p}, answering {a} tok/s</translation>
    </message>
    <message>
        <source>{name} なら収まります。</source>
        <translation>{name} would fit.</translation>
    </message>
    <message>
        <source>{name} なら快適に動きます。</source>
        <translation>{name} would run comfortably.</translation>
    </message>
    <message>
        <source>{name} を一覧から外しますか</source>
        <translation>Take {name} off the list?</translation>
    </message>
    <message>
        <source>{n} トークン</source>
        <translation>{n} tokens</translation>
    </message>
    <message>
        <source>{size} から</source>
        <translation>from {size}</translation>
    </message>
    <message>
        <source>{s} 秒</source>
        <translation>{s} s</translation>
    </message>
    <message>
        <source>× 壊れています</source>
        <translation>× Damaged</translation>
    </message>
    <message>
        <source>× 見つかりません</source>
        <translation>× Not found</translation>
    </message>
    <message>
        <source>▲ 変更あり</source>
        <translation>▲ Changed</translation>
    </message>
    <message>
        <source>✓ 無傷</source>
        <translation>✓ Sound</translation>
    </message>
    <message>
        <source>あり</source>
        <translation>Yes</translation>
    </message>
    <message>
        <source>このファイルには作成者の会話書式（プログラム）が入っています</source>
        <translation>This file brings its author&apos;s chat template, which is a program</translation>
    </message>
    <message>
        <source>この版は GPU に対応していません</source>
        <translation>this version does not support GPUs</translation>
    </message>
    <message>
        <source>そのまま</source>
        <translation>as it is</translation>
    </message>
    <message>
        <source>ただし遅く、待たされます（予測：{speed}）。</source>
        <translation>It is slow, though, and you will wait (predicted: {speed}).</translation>
    </message>
    <message>
        <source>なし</source>
        <translation>No</translation>
    </message>
    <message>
        <source>ならし</source>
        <translation>Warm-up</translation>
    </message>
    <message>
        <source>ほかのプログラムが {n} GB 使用中です。</source>
        <translation>Other programs are using {n} GB.</translation>
    </message>
    <message>
        <source>まとめて読む量</source>
        <translation>Batch</translation>
    </message>
    <message>
        <source>アクセストークン</source>
        <translation>Access token</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>スレッド数</source>
        <translation>Threads</translation>
    </message>
    <message>
        <source>ファイルは消えません（{path}）。もう一度使うには、取り込み直してください。</source>
        <translation>The file stays ({path}). To use it again, import it again.</translation>
    </message>
    <message>
        <source>ブラウザーで使用条件を開きますか</source>
        <translation>Open the licence in the browser?</translation>
    </message>
    <message>
        <source>ブラウザーで開く</source>
        <translation>Open in the browser</translation>
    </message>
    <message>
        <source>メモリ不足</source>
        <translation>Not enough memory</translation>
    </message>
    <message>
        <source>一覧から外す</source>
        <translation>Take off the list</translation>
    </message>
    <message>
        <source>並べ替え</source>
        <translation>repacked</translation>
    </message>
    <message>
        <source>中身の値を覚えました。次からは、壊れたことも入れ替わったことも分かります。</source>
        <translation>Its content was noted. From now on damage and replacement will show.</translation>
    </message>
    <message>
        <source>予測 {size}</source>
        <translation>predicted {size}</translation>
    </message>
    <message>
        <source>使える GPU がありません</source>
        <translation>no usable GPU</translation>
    </message>
    <message>
        <source>使わない</source>
        <translation>Do without it</translation>
    </message>
    <message>
        <source>元とほぼ同じ</source>
        <translation>Almost like the original</translation>
    </message>
    <message>
        <source>元のモデル：{name}</source>
        <translation>Base: {name}</translation>
    </message>
    <message>
        <source>動くが遅い</source>
        <translation>Works, slowly</translation>
    </message>
    <message>
        <source>動作可</source>
        <translation>Runs</translation>
    </message>
    <message>
        <source>取り込んだときと同じ中身です。</source>
        <translation>Its content is the same as when it was added.</translation>
    </message>
    <message>
        <source>品質を優先</source>
        <translation>Favours quality</translation>
    </message>
    <message>
        <source>品質を少し優先</source>
        <translation>Favours quality slightly</translation>
    </message>
    <message>
        <source>実際のメモリ</source>
        <translation>Memory in use</translation>
    </message>
    <message>
        <source>強さ {n}</source>
        <translation>Strength {n}</translation>
    </message>
    <message>
        <source>必要 {need} GB に対して空きは {free} GB で、余裕がわずかです。</source>
        <translation>Needs {need} GB; {free} GB are free, with little to spare.</translation>
    </message>
    <message>
        <source>必要 {need} GB の一部を CPU で計算するため、遅くなります。</source>
        <translation>Part of the {need} GB is computed on the CPU, which is slower.</translation>
    </message>
    <message>
        <source>必要 {need} GB、空き {free} GB で、余裕があります。</source>
        <translation>Needs {need} GB; {free} GB are free, with room to spare.</translation>
    </message>
    <message>
        <source>快適</source>
        <translation>Comfortable</translation>
    </message>
    <message>
        <source>文脈 {n}</source>
        <translation>Context {n}</translation>
    </message>
    <message>
        <source>文脈の長さ</source>
        <translation>Context length</translation>
    </message>
    <message>
        <source>文脈を {n} トークンにすると収まります。</source>
        <translation>It would fit with a context of {n} tokens.</translation>
    </message>
    <message>
        <source>標準。まずはこれ</source>
        <translation>Standard. Start with this</translation>
    </message>
    <message>
        <source>空きメモリが約 {short} GB 足りません。</source>
        <translation>About {short} GB of free memory are missing.</translation>
    </message>
    <message>
        <source>空きメモリが約 {short} GB 足りません（必要 {need} GB、空き {free} GB）。</source>
        <translation>About {short} GB of free memory are missing (needs {need} GB, {free} GB free).</translation>
    </message>
    <message>
        <source>約 {size}</source>
        <translation>about {size}</translation>
    </message>
    <message>
        <source>計算の場所</source>
        <translation>Runs on</translation>
    </message>
    <message>
        <source>計算用</source>
        <translation>Compute buffers</translation>
    </message>
    <message>
        <source>計算用とそのほか</source>
        <translation>Compute and the rest</translation>
    </message>
    <message>
        <source>設定で使わないことになっています</source>
        <translation>switched off in the settings</translation>
    </message>
    <message>
        <source>読み {p}、回答 {a} tok/s</source>
        <translation>reading {p}, answering {a} tok/s</translation>
    </message>
    <message>
        <source>読み込み</source>
        <translation>Loading</translation>
    </message>
    <message>
        <source>重み</source>
        <translation>Weights</translation>
    </message>
    <message>
        <source>重みの並べ替え</source>
        <translation>Repacking of weights</translation>
    </message>
    <message>
        <source>隔離して使う</source>
        <translation>Use it in isolation</translation>
    </message>
    <message>
        <source>隔離して使うと、時間とメモリを限った別の処理で書式を作り、作成者の想定した形で質問します。使わないときは、質問と回答だけの単純な形で質問します。</source>
        <translation>In isolation, a separate process with limited time and memory renders the template, and questions take the form its author meant. Without it, they take a plain question-and-answer form.</translation>
    </message>
</context>
<context>
    <name>ModelsPage</name>
    <message>
        <source>GGUF ファイルをここにドロップして追加</source>
        <translation>Drop a GGUF file here to add it</translation>
    </message>
    <message>
        <source>GGUF ファイルを取り込む</source>
        <translation>Import a GGUF file</translation>
    </message>
    <message>
        <source>ほかのアプリのモデルを探す</source>
        <translation>Find models of other apps</translation>
    </message>
    <message>
        <source>モデル</source>
        <translation>Models</translation>
    </message>
    <message>
        <source>モデルの操作</source>
        <translation>Model actions</translation>
    </message>
    <message>
        <source>持ち運びキット</source>
        <translation>Transfer kit</translation>
    </message>
    <message>
        <source>条件に合うモデルはありません。</source>
        <translation>No model matches.</translation>
    </message>
    <message>
        <source>（ほかに {n} 件）</source>
        <translation> (and {n} more)</translation>
    </message>
</context>
<context>
    <name>ModelsPart</name>
    <message>
        <source>学習済み</source>
        <translation>Fine-tuned</translation>
    </message>
    <message>
        <source>比べるモデル</source>
        <translation>Models to compare</translation>
    </message>
    <message>
        <source>渡す資料</source>
        <translation>Documents given to them</translation>
    </message>
    <message>
        <source>選ばなければ、資料なしで答えさせます。</source>
        <translation>With none, they answer without documents.</translation>
    </message>
</context>
<context>
    <name>NameForm</name>
    <message>
        <source>× 同じ名前の質問集があります。別の名前にしてください。</source>
        <translation>× There is a question set of that name. Choose another name.</translation>
    </message>
    <message>
        <source>× 同じ名前の質問集が壊れています。別の名前にしてください。</source>
        <translation>× The question set of that name is damaged. Choose another name.</translation>
    </message>
    <message>
        <source>× 名前を入力してください。</source>
        <translation>× Enter a name.</translation>
    </message>
    <message>
        <source>いまの版から：追加 {a} 問、変更 {b} 問、削除 {c} 問</source>
        <translation>From the present version: {a} added, {b} changed, {c} removed</translation>
    </message>
    <message>
        <source>この質問集はすでにあります。新しい版（版 {n}）として加えます。問いはこちらに入れ替わり、これまでの版も残ります。</source>
        <translation>This question set exists already. A new version (version {n}) is added. Its questions are replaced by these; earlier versions are kept.</translation>
    </message>
    <message>
        <source>もとの内容が{label}なので、それより低いラベルは選べません。</source>
        <translation>The content it is made of is {label}, so a lower label cannot be chosen.</translation>
    </message>
    <message>
        <source>ラベル</source>
        <translation>Label</translation>
    </message>
    <message>
        <source>同じ内容の版がすでにあるため、新しい版は増えません。</source>
        <translation>The set has the same content already, so no version is added.</translation>
    </message>
    <message>
        <source>機密の質問集は、書き出すときに確認します。</source>
        <translation>A confidential set asks before it is exported.</translation>
    </message>
    <message>
        <source>質問集の名前</source>
        <translation>Name of the question set</translation>
    </message>
</context>
<context>
    <name>NetworkSection</name>
    <message>
        <source>Hugging Face と同じ形で配る、社内などのサーバーのアドレスです。空なら huggingface.co を使います。</source>
        <translation>The address of a server, such as your company&apos;s, that offers files as Hugging Face does. Empty: huggingface.co.</translation>
    </message>
    <message>
        <source>Kotae が通信するのは、モデルのダウンロードや学習環境の取得を始めたときと、登録したほかの機械のモデルに質問したときだけです。止めると、それも行いません。途中のものも止まります。</source>
        <translation>Kotae uses the network only for downloads of models and of the training environment that you start, and for questions to models of other machines that you have added. Stopped, it does neither, and what is under way stops.</translation>
    </message>
    <message>
        <source>OS のカーネルも、Kotae のどの処理にも通信させません。</source>
        <translation>The system&apos;s kernel lets no process of Kotae communicate either.</translation>
    </message>
    <message>
        <source>▲ Kotae を閉じて開き直すと、通信できるようになります。</source>
        <translation>▲ Close Kotae and open it again, and the network can be used.</translation>
    </message>
    <message>
        <source>▲ 保存したトークンはありません。</source>
        <translation>▲ No token is stored.</translation>
    </message>
    <message>
        <source>✓ Kotae が、すべての通信を断ります。</source>
        <translation>✓ Kotae refuses all traffic.</translation>
    </message>
    <message>
        <source>✓ Kotae を閉じるまで、このトークンを使います。</source>
        <translation>✓ This token is used until Kotae is closed.</translation>
    </message>
    <message>
        <source>✓ OS のパスワード管理に保存しました。</source>
        <translation>✓ Kept in the system&apos;s password store.</translation>
    </message>
    <message>
        <source>✓ 保存したトークンを消しました。</source>
        <translation>✓ The stored token was deleted.</translation>
    </message>
    <message>
        <source>✓ 管理者が止めているため、ここでは変えられません（{path}）。</source>
        <translation>✓ An administrator has forbidden it, and it cannot be changed here ({path}).</translation>
    </message>
    <message>
        <source>「http://ホスト:ポート」の形で入れます。ユーザー名とパスワードは、Kotae を閉じるまで覚えておくだけです。</source>
        <translation>As http://host:port. User name and password are remembered until Kotae is closed.</translation>
    </message>
    <message>
        <source>この PC では、OS のカーネルでは止められません。止め方は確認の報告書にあります。</source>
        <translation>On this machine the kernel cannot stop it. The report of the check says how it can be blocked.</translation>
    </message>
    <message>
        <source>なし</source>
        <translation>None</translation>
    </message>
    <message>
        <source>アクセストークン</source>
        <translation>Access token</translation>
    </message>
    <message>
        <source>ダウンロードが、ほかの人やアプリの通信を妨げないようにします。すぐに効きます。</source>
        <translation>Keeps downloads out of the way of other people and apps. Takes effect at once.</translation>
    </message>
    <message>
        <source>トークンを入れる…</source>
        <translation>Enter a token…</translation>
    </message>
    <message>
        <source>プロキシ</source>
        <translation>Proxy</translation>
    </message>
    <message>
        <source>ユーザー名とパスワード…</source>
        <translation>User name and password…</translation>
    </message>
    <message>
        <source>使用条件に同意した人にだけ配られるモデルで使います。ふだんは Kotae を閉じるまで覚えておくだけで、頼まれたときだけ OS のパスワード管理に保存します。配布元のほかには送りません。</source>
        <translation>For models that are given only to people who have accepted their licence. It is remembered until Kotae is closed, and kept in the system&apos;s password store only if you ask for it. It is sent to the source and to nobody else.</translation>
    </message>
    <message>
        <source>保存したトークンを使う</source>
        <translation>Use the stored token</translation>
    </message>
    <message>
        <source>保存したトークンを消す</source>
        <translation>Delete the stored token</translation>
    </message>
    <message>
        <source>外につながらない場所で資料の読み込みや質問をひととおり行い、送ろうとした回数を数えます。情報システム部門に渡せる報告書（1 枚の要点と別紙）と部品表ができます。数分かかることがあります。</source>
        <translation>Reads a document, asks a question and more where no network leads outside, and counts attempts to send. Makes a report for an IT department (one page of results, then annexes) and a list of parts. It may take minutes.</translation>
    </message>
    <message>
        <source>外部通信</source>
        <translation>Network</translation>
    </message>
    <message>
        <source>外部通信をすべて止める</source>
        <translation>Block all outside traffic</translation>
    </message>
    <message>
        <source>次に Kotae を開いたときからは、OS のカーネルも止めます。</source>
        <translation>From the next start of Kotae the system&apos;s kernel stops it too.</translation>
    </message>
    <message>
        <source>空なら OS の設定に従います</source>
        <translation>Empty: as the system says</translation>
    </message>
    <message>
        <source>送信されないことの確認</source>
        <translation>Check that nothing is sent</translation>
    </message>
    <message>
        <source>通信を止めているあいだ、ここから下は変えられません。</source>
        <translation>As long as all traffic is blocked, what follows cannot be changed.</translation>
    </message>
    <message>
        <source>速度の上限</source>
        <translation>Speed limit</translation>
    </message>
    <message>
        <source>配布元のミラー</source>
        <translation>Mirror</translation>
    </message>
</context>
<context>
    <name>NewsWindow</name>
    <message>
        <source>Kotae {version} で新しくなったこと</source>
        <translation>What is new in Kotae {version}</translation>
    </message>
    <message>
        <source>この版についての説明はありません。</source>
        <translation>There is no description of this version.</translation>
    </message>
    <message>
        <source>新しくなったこと</source>
        <translation>What is new</translation>
    </message>
</context>
<context>
    <name>Nothing</name>
    <message>
        <source>作業フォルダの結果を取り込む…</source>
        <translation>Take in the result of a work folder…</translation>
    </message>
    <message>
        <source>例：報告書の言い回しにそろえる、決まった書式で答えさせる、社内の用語を使わせる</source>
        <translation>For example: the wording of your reports, a fixed form of answers, the terms of your organization</translation>
    </message>
    <message>
        <source>例：窓口によくある質問 20 問に、資料を使う場合と使わない場合で答えさせて比べる</source>
        <translation>For example: 20 questions that are often asked at the counter, answered with and without documents</translation>
    </message>
    <message>
        <source>左の一覧から選んでください。</source>
        <translation>Choose one from the list on the left.</translation>
    </message>
    <message>
        <source>手元の質問と回答の組で学習させて、モデルの答え方をそろえられます。</source>
        <translation>Train a model on your own questions and answers, so that it answers the way you want.</translation>
    </message>
    <message>
        <source>新しい学習</source>
        <translation>New run</translation>
    </message>
    <message>
        <source>質問集を追加</source>
        <translation>Add a question set</translation>
    </message>
    <message>
        <source>質問集を追加すると、モデルを同じ問いで比べられます。</source>
        <translation>Add a question set to compare models on the same questions.</translation>
    </message>
</context>
<context>
    <name>Notifier</name>
    <message>
        <source>モデルのダウンロードが止まりました</source>
        <translation>A model download stopped</translation>
    </message>
    <message>
        <source>モデルのダウンロードが終わりました</source>
        <translation>A model was downloaded</translation>
    </message>
    <message>
        <source>モデルの作業が途中で止まりました</source>
        <translation>Work on the models stopped</translation>
    </message>
    <message>
        <source>モデルの保存先を移しました</source>
        <translation>The models folder was moved</translation>
    </message>
    <message>
        <source>モデルの検証が終わりました</source>
        <translation>The models were verified</translation>
    </message>
    <message>
        <source>モデルを追加しました</source>
        <translation>The model has been added</translation>
    </message>
    <message>
        <source>モデルを追加できませんでした</source>
        <translation>The model could not be added</translation>
    </message>
    <message>
        <source>回答が終わりました</source>
        <translation>Answer finished</translation>
    </message>
    <message>
        <source>回答が途中で止まりました</source>
        <translation>The answer stopped halfway</translation>
    </message>
    <message>
        <source>学習が終わりました</source>
        <translation>A training has ended</translation>
    </message>
    <message>
        <source>学習が途中で止まりました</source>
        <translation>A training has stopped</translation>
    </message>
    <message>
        <source>学習環境ができました</source>
        <translation>The training environment is ready</translation>
    </message>
    <message>
        <source>学習環境の作業が途中で止まりました</source>
        <translation>Work on the training environment has stopped</translation>
    </message>
    <message>
        <source>持ち運びキットの取り込みが終わりました</source>
        <translation>The transfer kit was imported</translation>
    </message>
    <message>
        <source>持ち運びキットを書き出しました</source>
        <translation>The transfer kit is written</translation>
    </message>
    <message>
        <source>評価が終わりました</source>
        <translation>The evaluation is done</translation>
    </message>
    <message>
        <source>評価が途中で止まりました</source>
        <translation>The evaluation has stopped on its way</translation>
    </message>
</context>
<context>
    <name>OfflineCheckPanel</name>
    <message>
        <source>フォルダを開く</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>報告書を開く</source>
        <translation>Open the report</translation>
    </message>
    <message>
        <source>確かめています</source>
        <translation>Checking</translation>
    </message>
    <message>
        <source>確かめる</source>
        <translation>Check</translation>
    </message>
</context>
<context>
    <name>Overview</name>
    <message>
        <source>分野別</source>
        <translation>By category</translation>
    </message>
</context>
<context>
    <name>Pager</name>
    <message>
        <source>{i}／{n}</source>
        <translation>{i}/{n}</translation>
    </message>
</context>
<context>
    <name>PairsCard</name>
    <message>
        <source>{a}–{b}／{n}</source>
        <translation>{a}–{b} of {n}</translation>
    </message>
    <message>
        <source>両方</source>
        <translation>Both</translation>
    </message>
    <message>
        <source>全文を表示</source>
        <translation>Show all text</translation>
    </message>
    <message>
        <source>前の問い</source>
        <translation>Previous questions</translation>
    </message>
    <message>
        <source>問いごとの前後</source>
        <translation>Before and after by question</translation>
    </message>
    <message>
        <source>学習前</source>
        <translation>Before</translation>
    </message>
    <message>
        <source>学習後</source>
        <translation>After</translation>
    </message>
    <message>
        <source>次の問い</source>
        <translation>Next questions</translation>
    </message>
    <message>
        <source>良くなった {a}&#x3000;変わらない {b}&#x3000;悪くなった {c}</source>
        <translation>Better {a} · Same {b} · Worse {c}</translation>
    </message>
    <message>
        <source>良し悪しは、お手本の回答の出やすさ（損失）の変化で分けています。途中で切れた回答や繰り返しは、良くなったとは数えません。</source>
        <translation>Better and worse: by how likely the kept-back answer has become (loss). An answer that is cut off or repeats itself does not count as better.</translation>
    </message>
</context>
<context>
    <name>PairsRow</name>
    <message>
        <source>{n} 組には届きませんでした。</source>
        <translation>That is fewer than the {n} wanted.</translation>
    </message>
    <message>
        <source>「{name}」から {n} 組を作りました。</source>
        <translation>{n} pairs were made from &quot;{name}&quot;.</translation>
    </message>
    <message>
        <source>「{name}」から作った質問と回答があります。</source>
        <translation>There are questions and answers made from &quot;{name}&quot;.</translation>
    </message>
    <message>
        <source>「{name}」から質問と回答を作る作業は途中です。</source>
        <translation>Making questions and answers from &quot;{name}&quot; is not finished.</translation>
    </message>
    <message>
        <source>ここで止める</source>
        <translation>Stop here</translation>
    </message>
    <message>
        <source>ここまでの返答は残してあり、続きから作れます。</source>
        <translation>The replies so far are kept, and it can be resumed.</translation>
    </message>
    <message>
        <source>もう一度試す</source>
        <translation>Try again</translation>
    </message>
    <message>
        <source>使えなかった主な理由：{reasons}</source>
        <translation>Main reasons why others could not be used: {reasons}</translation>
    </message>
    <message>
        <source>使える組は作れませんでした。</source>
        <translation>No usable pairs could be made.</translation>
    </message>
    <message>
        <source>取り込まない</source>
        <translation>Do not import</translation>
    </message>
    <message>
        <source>取り込む</source>
        <translation>Import</translation>
    </message>
    <message>
        <source>取り込むと、いまの行と見直しの結果は残りません。</source>
        <translation>Importing them replaces the rows, and what was decided of them.</translation>
    </message>
    <message>
        <source>続けない</source>
        <translation>Do not resume</translation>
    </message>
    <message>
        <source>続ける</source>
        <translation>Resume</translation>
    </message>
    <message>
        <source>資料を読んでいます</source>
        <translation>Reading the documents</translation>
    </message>
    <message>
        <source>質問と回答を作っています（採用 {a}／{b} 組）</source>
        <translation>Making questions and answers ({a} of {b} pairs accepted)</translation>
    </message>
    <message>
        <source>質問と回答を作る作業を止めました（返答 {n} 件、使える組 {a}）。</source>
        <translation>Making questions and answers was stopped ({n} replies, {a} usable pairs).</translation>
    </message>
</context>
<context>
    <name>PassageView</name>
    <message>
        <source>ページを表示</source>
        <translation>Show page</translation>
    </message>
    <message>
        <source>出典</source>
        <translation>Source</translation>
    </message>
    <message>
        <source>同じ箇所から作った問いが、ほかに {n} 件あります。</source>
        <translation>{n} more from the same passage.</translation>
    </message>
</context>
<context>
    <name>PathRow</name>
    <message>
        <source>外す</source>
        <translation>Remove</translation>
    </message>
    <message>
        <source>選ぶ…</source>
        <translation>Choose…</translation>
    </message>
    <message>
        <source>選んでいません</source>
        <translation>Not chosen</translation>
    </message>
</context>
<context>
    <name>Planning</name>
    <message>
        <source>学習を始める</source>
        <translation>Start training</translation>
    </message>
    <message>
        <source>次へ：{step}</source>
        <translation>Next: {step}</translation>
    </message>
</context>
<context>
    <name>Plot</name>
    <message>
        <source>図で見る</source>
        <translation>Show as a chart</translation>
    </message>
    <message>
        <source>行数</source>
        <translation>Rows</translation>
    </message>
    <message>
        <source>表で見る</source>
        <translation>Show as a table</translation>
    </message>
</context>
<context>
    <name>PresetCard</name>
    <message>
        <source>▲ この GPU のメモリ（{size}）では足りません</source>
        <translation>▲ More than the memory of this GPU ({size})</translation>
    </message>
    <message>
        <source>▲ この PC のメモリ（{size}）では足りません</source>
        <translation>▲ More than the memory of this PC ({size})</translation>
    </message>
    <message>
        <source>おすすめ</source>
        <translation>Recommended</translation>
    </message>
    <message>
        <source>ディスク</source>
        <translation>Disk</translation>
    </message>
    <message>
        <source>時間</source>
        <translation>Time</translation>
    </message>
    <message>
        <source>計算中…</source>
        <translation>Computing…</translation>
    </message>
</context>
<context>
    <name>PresetEditor</name>
    <message>
        <source>「{name}」を編集</source>
        <translation>Edit &quot;{name}&quot;</translation>
    </message>
    <message>
        <source>お願いの文</source>
        <translation>Request</translation>
    </message>
    <message>
        <source>お願いの文を書いてください。</source>
        <translation>Write the request.</translation>
    </message>
    <message>
        <source>保存する</source>
        <translation>Save</translation>
    </message>
    <message>
        <source>保存できませんでした。</source>
        <translation>It could not be saved.</translation>
    </message>
    <message>
        <source>同じ名前のものがあります。別の名前にしてください。</source>
        <translation>The name is taken. Choose another.</translation>
    </message>
    <message>
        <source>名前</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>名前に使えない文字があります。</source>
        <translation>The name contains characters that cannot be used.</translation>
    </message>
    <message>
        <source>名前を入れてください。</source>
        <translation>Enter a name.</translation>
    </message>
    <message>
        <source>回答についてよく頼むことを、ボタン一つにします。</source>
        <translation>Turns what you often ask about an answer into one button.</translation>
    </message>
    <message>
        <source>回答の下のボタンを押したときに、その回答についてモデルに頼むことを書きます。</source>
        <translation>What the model is asked about an answer when the button below it is pressed.</translation>
    </message>
    <message>
        <source>新しいクイック操作</source>
        <translation>New quick action</translation>
    </message>
    <message>
        <source>新しいプリセット</source>
        <translation>New preset</translation>
    </message>
    <message>
        <source>答え方の指示と設定を、名前を付けて残します。</source>
        <translation>Keeps instructions and settings for answers under a name.</translation>
    </message>
</context>
<context>
    <name>PresetFiles</name>
    <message>
        <source>{added} 件を取り込みました。次の {refused} 件は、ファイルを直してから取り込んでください。</source>
        <translation>{added} were imported. Correct these {refused} in the file and import it again.</translation>
    </message>
    <message>
        <source>どのプリセットを書き出しますか</source>
        <translation>Which presets should be exported?</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>プリセット (*.json);;すべてのファイル (*)</source>
        <translation>Presets (*.json);;All files (*)</translation>
    </message>
    <message>
        <source>プリセットのファイルを選ぶ</source>
        <translation>Choose a preset file</translation>
    </message>
    <message>
        <source>プリセットの書き出し先</source>
        <translation>Export presets to</translation>
    </message>
    <message>
        <source>一部を取り込めませんでした。</source>
        <translation>Some presets could not be imported.</translation>
    </message>
    <message>
        <source>取り込めなかったもの</source>
        <translation>What could not be imported</translation>
    </message>
    <message>
        <source>指示の文と設定を一つのファイルにします。会話は入りません。</source>
        <translation>Instructions and settings go into one file. Conversations do not.</translation>
    </message>
    <message>
        <source>書き出す…</source>
        <translation>Export…</translation>
    </message>
    <message>
        <source>書き出すプリセット</source>
        <translation>Presets to export</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>PresetList</name>
    <message>
        <source>クイック操作（回答の下のボタン）</source>
        <translation>Quick actions (below answers)</translation>
    </message>
    <message>
        <source>会話のプリセット</source>
        <translation>Presets of conversations</translation>
    </message>
    <message>
        <source>初期値から変更</source>
        <translation>Changed</translation>
    </message>
    <message>
        <source>新しい会話で使用</source>
        <translation>Used for new conversations</translation>
    </message>
</context>
<context>
    <name>Presets</name>
    <message>
        <source> トークン</source>
        <translation> tokens</translation>
    </message>
    <message>
        <source>、</source>
        <translation>, </translation>
    </message>
    <message>
        <source>いちばん有力な候補と比べて、確率がこの割合に満たないものを捨てます。おかしな言葉が混ざるときに 0.1 ほどに上げます。0 では捨てません。</source>
        <translation>Drops candidates whose probability is below this share of the best one&apos;s. Raise it to about 0.1 when strange words slip in. 0 drops none.</translation>
    </message>
    <message>
        <source>すでに書いた言葉を、どれだけ選びにくくするかです。同じ文を繰り返すときに 1.05〜1.15 に上げます。上げすぎると言葉が不自然になります。1 では何もしません。</source>
        <translation>How much words already written are avoided. Raise it to 1.05 to 1.15 when sentences repeat; higher sounds unnatural. 1 does nothing.</translation>
    </message>
    <message>
        <source>すべてモデルの推奨どおり</source>
        <translation>Everything as the model recommends</translation>
    </message>
    <message>
        <source>システムプロンプト</source>
        <translation>System prompt</translation>
    </message>
    <message>
        <source>乱数の種</source>
        <translation>Random seed</translation>
    </message>
    <message>
        <source>候補の下限（min_p）</source>
        <translation>Candidate floor (min_p)</translation>
    </message>
    <message>
        <source>候補の数（top_k）</source>
        <translation>Candidates (top_k)</translation>
    </message>
    <message>
        <source>候補の範囲（top_p）</source>
        <translation>Candidate range (top_p)</translation>
    </message>
    <message>
        <source>回答の最大の長さ</source>
        <translation>Longest answer</translation>
    </message>
    <message>
        <source>回答をここで打ち切ります。単位のトークンは、日本語ではおよそ 1 文字です。回答が途中で切れるときは増やし、短くて足りるときは減らします。</source>
        <translation>Answers end here. A token is about three quarters of an English word. Raise it when answers break off, lower it when short ones will do.</translation>
    </message>
    <message>
        <source>指示なし</source>
        <translation>No instruction</translation>
    </message>
    <message>
        <source>最大 {n} トークン</source>
        <translation>At most {n} tokens</translation>
    </message>
    <message>
        <source>有力な候補から順に、確率の合計がこの値になるまでを選ぶ対象にします。ふつうは変えません。話がそれやすいときに 0.7〜0.8 に下げます。1 では制限しません。</source>
        <translation>Candidates are taken from the likeliest on until their probabilities add up to this. Rarely changed; lower it to 0.7 to 0.8 when answers stray. 1 sets no limit.</translation>
    </message>
    <message>
        <source>次の言葉を、有力な順に何個の候補から選ぶかです。ふつうは変えません。話がそれやすいときに 10〜20 に減らします。0 では制限しません。</source>
        <translation>How many of the likeliest candidates the next word is chosen from. Rarely changed; lower it to 10 to 20 when answers stray. 0 sets no limit.</translation>
    </message>
    <message>
        <source>毎回変わる</source>
        <translation>new each time</translation>
    </message>
    <message>
        <source>温度</source>
        <translation>Temperature</translation>
    </message>
    <message>
        <source>繰り返しの抑制</source>
        <translation>Repetition penalty</translation>
    </message>
    <message>
        <source>言葉の選び方の幅です。事実や数値を尋ねるときは 0〜0.3 に下げると、毎回ほぼ同じ堅実な回答になります。案を多く出したいときは 0.8〜1 に上げます。</source>
        <translation>How freely words are chosen. For facts and numbers lower it to 0 to 0.3: answers are sober and nearly the same each time. For many ideas raise it to 0.8 to 1.</translation>
    </message>
    <message>
        <source>言葉を選ぶときのくじの番号です。番号を決めると、同じ質問、同じ設定で同じ回答になります。比べて試すときに使います。</source>
        <translation>The number that the draw of words starts from. With a fixed one, the same question and settings give the same answer. Useful for comparing.</translation>
    </message>
    <message>
        <source>質問の前に、いつもモデルに渡す指示です。立場、文体、書式などを決めておきたいときに書きます。</source>
        <translation>What the model is always told before the question. Use it to settle a role, a style or a format.</translation>
    </message>
</context>
<context>
    <name>PresetsSection</name>
    <message>
        <source>{n} 件のプリセットを取り込みました。</source>
        <translation>Presets imported: {n}</translation>
    </message>
    <message>
        <source>{n} 件のプリセットを書き出しました。</source>
        <translation>Presets exported: {n}</translation>
    </message>
    <message>
        <source>「{name}」を初期値に戻しました。</source>
        <translation>&quot;{name}&quot; was reset.</translation>
    </message>
    <message>
        <source>「{name}」を削除しました。</source>
        <translation>&quot;{name}&quot; was deleted.</translation>
    </message>
    <message>
        <source>クイック操作</source>
        <translation>Quick action</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>プリセット</source>
        <translation>Presets</translation>
    </message>
    <message>
        <source>プリセットの一覧</source>
        <translation>List of presets</translation>
    </message>
    <message>
        <source>会話のプリセット</source>
        <translation>Preset for conversations</translation>
    </message>
    <message>
        <source>初期値に戻す</source>
        <translation>Reset</translation>
    </message>
    <message>
        <source>削除</source>
        <translation>Delete</translation>
    </message>
    <message>
        <source>取り込む…</source>
        <translation>Import…</translation>
    </message>
    <message>
        <source>新しい会話で使う</source>
        <translation>Use for new conversations</translation>
    </message>
    <message>
        <source>新しく作る</source>
        <translation>New</translation>
    </message>
    <message>
        <source>書き出す…</source>
        <translation>Export…</translation>
    </message>
    <message>
        <source>答え方の指示と設定に名前を付けたものです。会話ごとに選べます。</source>
        <translation>Instructions and settings for answers under a name, to choose for each conversation.</translation>
    </message>
    <message>
        <source>編集</source>
        <translation>Edit</translation>
    </message>
    <message>
        <source>複製</source>
        <translation>Duplicate</translation>
    </message>
</context>
<context>
    <name>ProblemEditor</name>
    <message>
        <source>ここでは直せません。元のファイルのこの行を直して、もう一度取り込んでください。</source>
        <translation>It cannot be mended here. Mend this row in the file and import it again.</translation>
    </message>
    <message>
        <source>修正して採用 (E)</source>
        <translation>Edit and accept (E)</translation>
    </message>
    <message>
        <source>元に戻す</source>
        <translation>Undo</translation>
    </message>
    <message>
        <source>却下 (R)</source>
        <translation>Reject (R)</translation>
    </message>
    <message>
        <source>回答</source>
        <translation>Answer</translation>
    </message>
    <message>
        <source>採用 (A)</source>
        <translation>Accept (A)</translation>
    </message>
    <message>
        <source>文を直して「修正して採用」を押すと、直した文で学習します。</source>
        <translation>Correct the texts and press Edit and accept: the corrected texts are trained on.</translation>
    </message>
    <message>
        <source>質問</source>
        <translation>Question</translation>
    </message>
</context>
<context>
    <name>ProblemView</name>
    <message>
        <source>A で採用、E で修正、R で却下します</source>
        <translation>A accepts, E edits, R rejects</translation>
    </message>
    <message>
        <source>問題のある行の一覧</source>
        <translation>Rows with problems</translation>
    </message>
</context>
<context>
    <name>Problems</name>
    <message>
        <source>GGUF ファイルを取り込む</source>
        <translation>Import a GGUF file</translation>
    </message>
    <message>
        <source>お試し用ではじめる</source>
        <translation>Start with the trial model</translation>
    </message>
    <message>
        <source>このまま試す</source>
        <translation>Try anyway</translation>
    </message>
    <message>
        <source>モデルを選ぶ</source>
        <translation>Choose a model</translation>
    </message>
    <message>
        <source>古い {n} 件を外す</source>
        <translation>Leave out the oldest {n}</translation>
    </message>
    <message>
        <source>文脈を {n} にする</source>
        <translation>Set context to {n}</translation>
    </message>
    <message>
        <source>文脈を {n} に広げる</source>
        <translation>Enlarge context to {n}</translation>
    </message>
    <message>
        <source>新しい質問にする</source>
        <translation>New question</translation>
    </message>
    <message>
        <source>記録を見る</source>
        <translation>View log</translation>
    </message>
    <message>
        <source>軽い形を選ぶ</source>
        <translation>Choose a lighter form</translation>
    </message>
</context>
<context>
    <name>ProblemsTab</name>
    <message>
        <source>{kind}（{n}）</source>
        <translation>{kind} ({n})</translation>
    </message>
    <message>
        <source>✓ 問題のある行はありません。</source>
        <translation>✓ No rows have problems.</translation>
    </message>
    <message>
        <source>✓ 残っていません。</source>
        <translation>✓ None are left.</translation>
    </message>
    <message>
        <source>問題の種類</source>
        <translation>Kind of problem</translation>
    </message>
</context>
<context>
    <name>ProgressRow</name>
    <message>
        <source>{a}／{b} GB（{p} %）</source>
        <translation>{a}/{b} GB ({p} %)</translation>
    </message>
    <message>
        <source>{a}／{b} MB（{p} %）</source>
        <translation>{a}/{b} MB ({p} %)</translation>
    </message>
    <message>
        <source>{a}／{b}（{p} %）</source>
        <translation>{a}/{b} ({p} %)</translation>
    </message>
    <message>
        <source>{p} %</source>
        <translation>{p} %</translation>
    </message>
    <message>
        <source>{s} 秒</source>
        <translation>{s} s</translation>
    </message>
    <message>
        <source>取り消しています…</source>
        <translation>Cancelling…</translation>
    </message>
    <message>
        <source>取り消す</source>
        <translation>Cancel</translation>
    </message>
</context>
<context>
    <name>PromptField</name>
    <message>
        <source>「{text}」</source>
        <translation>&quot;{text}&quot;</translation>
    </message>
    <message>
        <source>システムプロンプトの文</source>
        <translation>Text of the system prompt</translation>
    </message>
    <message>
        <source>システムプロンプトの文を書くか、ほかの選択肢を選んでください。</source>
        <translation>Write the system prompt, or choose something else above.</translation>
    </message>
    <message>
        <source>指示を付けない</source>
        <translation>No instruction</translation>
    </message>
    <message>
        <source>文が長すぎます（{n} 文字。{limit} 文字まで）。</source>
        <translation>The text is too long ({n} characters; {limit} at most).</translation>
    </message>
    <message>
        <source>自分で書く</source>
        <translation>Write my own</translation>
    </message>
    <message>
        <source>（指示はありません）</source>
        <translation>(no instruction)</translation>
    </message>
</context>
<context>
    <name>ProxyLoginDialog</name>
    <message>
        <source>Kotae を閉じるまで覚えておくだけで、ファイルには書きません。</source>
        <translation>They are remembered until Kotae is closed and never written to a file.</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>パスワード</source>
        <translation>Password</translation>
    </message>
    <message>
        <source>プロキシのユーザー名とパスワード</source>
        <translation>User name and password of the proxy</translation>
    </message>
    <message>
        <source>ユーザー名</source>
        <translation>User name</translation>
    </message>
    <message>
        <source>使う</source>
        <translation>Use</translation>
    </message>
</context>
<context>
    <name>Quantizations</name>
    <message>
        <source>この PC</source>
        <translation>This PC</translation>
    </message>
    <message>
        <source>ファイル</source>
        <translation>File</translation>
    </message>
    <message>
        <source>予測 tok/s</source>
        <translation>Predicted tok/s</translation>
    </message>
    <message>
        <source>必要メモリ</source>
        <translation>Memory</translation>
    </message>
    <message>
        <source>目安</source>
        <translation>Good for</translation>
    </message>
    <message>
        <source>種類</source>
        <translation>Form</translation>
    </message>
    <message>
        <source>約 {size}</source>
        <translation>about {size}</translation>
    </message>
</context>
<context>
    <name>QuestionDetail</name>
    <message>
        <source>{n} ページ</source>
        <translation>page {n}</translation>
    </message>
    <message>
        <source>分野</source>
        <translation>Category</translation>
    </message>
    <message>
        <source>必ず含む語</source>
        <translation>Must include</translation>
    </message>
    <message>
        <source>条件に合う問いはありません。</source>
        <translation>No question fits the filter.</translation>
    </message>
    <message>
        <source>根拠</source>
        <translation>Gold quotes</translation>
    </message>
    <message>
        <source>模範解答</source>
        <translation>Reference answer</translation>
    </message>
    <message>
        <source>資料にない質問です。「ない」と答えるのが正解です。</source>
        <translation>The documents do not answer this question: the right answer says so.</translation>
    </message>
</context>
<context>
    <name>QuestionDialog</name>
    <message>
        <source>Ctrl+Enter でも保存できます。</source>
        <translation>Ctrl+Enter saves too.</translation>
    </message>
    <message>
        <source>× のあるところを直してください。</source>
        <translation>Put right what is marked with ×.</translation>
    </message>
    <message>
        <source>▲ 模範解答か必ず含む語がないと、規則では採点できません。</source>
        <translation>▲ Without a reference answer or words that it must include, no rule can score it.</translation>
    </message>
    <message>
        <source>「資料にありません」と答えるのが正解になります。</source>
        <translation>Saying that the documents do not have it is the right answer.</translation>
    </message>
    <message>
        <source>「資料にありません」と答えるのが正解になります。模範解答と必ず含む語は、採点に使いません。</source>
        <translation>Saying that the documents do not have it is the right answer. The reference answer and the words are not used for its score.</translation>
    </message>
    <message>
        <source>この文のまま、比べるモデルに尋ねます。</source>
        <translation>The models that are compared are asked exactly this.</translation>
    </message>
    <message>
        <source>保存する</source>
        <translation>Save</translation>
    </message>
    <message>
        <source>分野</source>
        <translation>Category</translation>
    </message>
    <message>
        <source>問いを編集</source>
        <translation>Edit question</translation>
    </message>
    <message>
        <source>問いを追加</source>
        <translation>Add question</translation>
    </message>
    <message>
        <source>問い（必須）</source>
        <translation>Question (required)</translation>
    </message>
    <message>
        <source>必ず含む語</source>
        <translation>Must include</translation>
    </message>
    <message>
        <source>最初の問いを書いて、質問集を作ります。問いは後からいくつでも足せます。</source>
        <translation>Write the first question to make the set. Any number can be added later.</translation>
    </message>
    <message>
        <source>模範解答</source>
        <translation>Reference answer</translation>
    </message>
    <message>
        <source>正しい回答に必ず出てくる語を、1 行に 1 つ書きます。「a|b」と書くと、どちらかがあれば正解です。</source>
        <translation>Words that every right answer has, one a line. With &quot;a|b&quot;, either will do.</translation>
    </message>
    <message>
        <source>正しい回答の例です。回答がこれにどれだけ近いかで採点します。</source>
        <translation>An example of a right answer. Answers are scored by how close they come to it.</translation>
    </message>
    <message>
        <source>点検、料金など。結果を分野ごとに見られます。</source>
        <translation>Inspection, fees and so on. Results can be seen by category.</translation>
    </message>
    <message>
        <source>資料に書かれていない問い</source>
        <translation>The documents do not answer this question</translation>
    </message>
    <message>
        <source>質問集を作る</source>
        <translation>Make the set</translation>
    </message>
    <message>
        <source>質問集を自分で書く</source>
        <translation>Write a question set</translation>
    </message>
    <message>
        <source>追加する</source>
        <translation>Add</translation>
    </message>
</context>
<context>
    <name>QuestionSection</name>
    <message>
        <source>Ctrl + Enter で送信</source>
        <translation>Ctrl + Enter sends</translation>
    </message>
    <message>
        <source>Enter で送信</source>
        <translation>Enter sends</translation>
    </message>
    <message>
        <source>{n} トークン</source>
        <translation>{n} tokens</translation>
    </message>
    <message>
        <source>一度に読める量です。長くするとメモリを多く使い、次の質問でモデルを読み込み直します。</source>
        <translation>How much the model can read at once. More takes more memory, and reloads the model at the next question.</translation>
    </message>
    <message>
        <source>変換中の Enter では送信しません。Shift + Enter はいつも改行です。</source>
        <translation>Enter never sends while converting Japanese. Shift + Enter is always a new line.</translation>
    </message>
    <message>
        <source>文脈の長さ</source>
        <translation>Context length</translation>
    </message>
    <message>
        <source>送信キー</source>
        <translation>Send key</translation>
    </message>
</context>
<context>
    <name>QuestionSets</name>
    <message>
        <source>{n} 問</source>
        <translation>{n} questions</translation>
    </message>
    <message>
        <source>× 問いを書いてください。</source>
        <translation>× Write the question.</translation>
    </message>
    <message>
        <source>× 数字や記号だけでは問いになりません。言葉で書いてください。</source>
        <translation>× Numbers and signs alone are no question. Write words.</translation>
    </message>
    <message>
        <source>× 長すぎます。短くしてください。</source>
        <translation>× It is too long. Shorten it.</translation>
    </message>
    <message>
        <source>▲ {n} 問は、模範解答も必ず含む語もないため、規則では採点できません。</source>
        <translation>▲ {n} questions have neither a reference answer nor words to include, so no rule can score them.</translation>
    </message>
    <message>
        <source>必ず含む語 {n}</source>
        <translation>{n} with words to include</translation>
    </message>
    <message>
        <source>根拠 {n}</source>
        <translation>{n} with evidence</translation>
    </message>
    <message>
        <source>模範解答 {n}</source>
        <translation>{n} reference answers</translation>
    </message>
    <message>
        <source>版 {n}</source>
        <translation>Version {n}</translation>
    </message>
    <message>
        <source>資料にない問い {n}</source>
        <translation>{n} not in the documents</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>QuestionStep</name>
    <message>
        <source>▲ モデルがまだないので、回答はできません。モデルは「モデル」の画面でいつでも追加できます。</source>
        <translation>▲ There is no model yet, so there can be no answer. Add one at any time on the page Models.</translation>
    </message>
    <message>
        <source>「はじめる」を押すと、この例が質問の欄に入ります。書き直してから送信できます。</source>
        <translation>&quot;Start&quot; puts this example into the question field. You can change it before sending.</translation>
    </message>
    <message>
        <source>モデルを追加するには？</source>
        <translation>How do I add a model?</translation>
    </message>
    <message>
        <source>例</source>
        <translation>Example</translation>
    </message>
    <message>
        <source>質問してみる</source>
        <translation>Ask something</translation>
    </message>
</context>
<context>
    <name>QuestionTable</name>
    <message>
        <source>Enter で編集、Delete で削除します</source>
        <translation>Enter edits, Delete removes</translation>
    </message>
    <message>
        <source>列の見出し</source>
        <translation>Column headings</translation>
    </message>
    <message>
        <source>問いの一覧</source>
        <translation>List of questions</translation>
    </message>
</context>
<context>
    <name>QuestionView</name>
    <message>
        <source>この質問のその他の操作</source>
        <translation>More actions for this question</translation>
    </message>
    <message>
        <source>コピー</source>
        <translation>Copy</translation>
    </message>
    <message>
        <source>前の聞き方</source>
        <translation>Previous version</translation>
    </message>
    <message>
        <source>問いの一覧</source>
        <translation>List of questions</translation>
    </message>
    <message>
        <source>次の聞き方</source>
        <translation>Next version</translation>
    </message>
    <message>
        <source>編集</source>
        <translation>Edit</translation>
    </message>
    <message>
        <source>編集して聞き直す</source>
        <translation>Edit and ask again</translation>
    </message>
    <message>
        <source>質問&#x3000;{time}</source>
        <translation>Question, {time}</translation>
    </message>
</context>
<context>
    <name>Questions</name>
    <message>
        <source>ある</source>
        <translation>Yes</translation>
    </message>
    <message>
        <source>ない</source>
        <translation>No</translation>
    </message>
    <message>
        <source>分野</source>
        <translation>Category</translation>
    </message>
    <message>
        <source>問い</source>
        <translation>Question</translation>
    </message>
    <message>
        <source>模範解答</source>
        <translation>Reference answer</translation>
    </message>
    <message>
        <source>資料にあるか</source>
        <translation>In documents</translation>
    </message>
</context>
<context>
    <name>QuestionsPart</name>
    <message>
        <source> 問</source>
        <translation>questions</translation>
    </message>
    <message>
        <source>すべて</source>
        <translation>All</translation>
    </message>
    <message>
        <source>一般の質問</source>
        <translation>general questions</translation>
    </message>
    <message>
        <source>付属の質問</source>
        <translation>Questions that come with Kotae</translation>
    </message>
    <message>
        <source>使わない（取り分けたデータで判定）</source>
        <translation>None (judged by the hold-out)</translation>
    </message>
    <message>
        <source>最初の N 問だけ</source>
        <translation>Only the first N questions</translation>
    </message>
    <message>
        <source>短い時間で試すときに使います。</source>
        <translation>For a quick try.</translation>
    </message>
    <message>
        <source>質問集</source>
        <translation>Question set</translation>
    </message>
</context>
<context>
    <name>QuestionsTab</name>
    <message>
        <source>{n} 問</source>
        <translation>{n} questions</translation>
    </message>
    <message>
        <source>{n}／{total} 問</source>
        <translation>{n} of {total} questions</translation>
    </message>
    <message>
        <source>すべての分野</source>
        <translation>All categories</translation>
    </message>
    <message>
        <source>分野</source>
        <translation>Category</translation>
    </message>
    <message>
        <source>差が大きい順</source>
        <translation>Largest differences first</translation>
    </message>
    <message>
        <source>数字は左から：{names}</source>
        <translation>Figures from the left: {names}</translation>
    </message>
    <message>
        <source>（分野なし）</source>
        <translation>(no category)</translation>
    </message>
</context>
<context>
    <name>QueueRow</name>
    <message>
        <source>ほかの Kotae（コマンド）が読み取っています</source>
        <translation>Another Kotae (a command) is reading</translation>
    </message>
    <message>
        <source>フォルダを調べています：{n} 件</source>
        <translation>Looking through folders: {n} files</translation>
    </message>
    <message>
        <source>一時停止</source>
        <translation>Pause</translation>
    </message>
    <message>
        <source>取り消す</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>文書 {a}／{b}</source>
        <translation>Document {a}/{b}</translation>
    </message>
    <message>
        <source>検索の索引を書き込んでいます</source>
        <translation>Writing the search index</translation>
    </message>
    <message>
        <source>毎分 {n} 件</source>
        <translation>{n} a minute</translation>
    </message>
    <message>
        <source>続きから再開</source>
        <translation>Resume</translation>
    </message>
    <message>
        <source>読み取っています：{name}</source>
        <translation>Reading: {name}</translation>
    </message>
    <message>
        <source>読み取りの続きを用意しています</source>
        <translation>Preparing to go on reading</translation>
    </message>
    <message>
        <source>読み取りを一時停止しています</source>
        <translation>Reading is paused</translation>
    </message>
    <message>
        <source>資料の読み取り</source>
        <translation>Reading documents</translation>
    </message>
</context>
<context>
    <name>QuotePart</name>
    <message>
        <source>原文と一致</source>
        <translation>Matches the source</translation>
    </message>
    <message>
        <source>原文と一致しません</source>
        <translation>Does not match the source</translation>
    </message>
    <message>
        <source>引用なし</source>
        <translation>No quote</translation>
    </message>
    <message>
        <source>根拠の引用</source>
        <translation>Quoted source text</translation>
    </message>
    <message>
        <source>資料に答えがない質問です。資料にないことを回答が伝えているか、確かめてください。</source>
        <translation>The documents do not answer this question. Check that the answer says so.</translation>
    </message>
</context>
<context>
    <name>Rating</name>
    <message>
        <source>悪い</source>
        <translation>Bad</translation>
    </message>
    <message>
        <source>正しい回答を書く…</source>
        <translation>Write the right answer…</translation>
    </message>
    <message>
        <source>良い</source>
        <translation>Good</translation>
    </message>
    <message>
        <source>訂正あり</source>
        <translation>corrected</translation>
    </message>
</context>
<context>
    <name>RatingDesk</name>
    <message>
        <source>評価を取り消しました</source>
        <translation>Rating taken back</translation>
    </message>
</context>
<context>
    <name>Remote</name>
    <message>
        <source>LAN のサーバーのモデルです。質問と、引用する資料の文章を、{place} へ送ります。機密の会話と資料は送りません。</source>
        <translation>A model of a server in the LAN. Questions, and the texts quoted from documents, are sent to {place}. Secret conversations and documents are not.</translation>
    </message>
    <message>
        <source>この会話の質問と、引用する資料の文章を、{address} へ送ります。</source>
        <translation>The questions of this conversation, and the texts quoted from documents, are sent to {address}.</translation>
    </message>
    <message>
        <source>この会話を外部へ送りますか</source>
        <translation>Send this conversation out?</translation>
    </message>
    <message>
        <source>これらの質問を外部へ送りますか</source>
        <translation>Send these questions out?</translation>
    </message>
    <message>
        <source>アドレス</source>
        <translation>Address</translation>
    </message>
    <message>
        <source>サーバーでの名前</source>
        <translation>Name on the server</translation>
    </message>
    <message>
        <source>サーバーに従う</source>
        <translation>As the server says</translation>
    </message>
    <message>
        <source>サーバーの管理者に確かめてください</source>
        <translation>Ask the server&apos;s administrator</translation>
    </message>
    <message>
        <source>ファイルの質問と、引用する資料の文章を、{address} へ送ります。</source>
        <translation>The questions of the file, and the texts quoted from documents, are sent to {address}.</translation>
    </message>
    <message>
        <source>使用条件</source>
        <translation>Licence</translation>
    </message>
    <message>
        <source>外部へ送ります：{place}</source>
        <translation>Leaves this PC for {place}</translation>
    </message>
    <message>
        <source>文脈の長さ</source>
        <translation>Context length</translation>
    </message>
    <message>
        <source>最大 {tokens}</source>
        <translation>Up to {tokens}</translation>
    </message>
    <message>
        <source>機密の会話と資料は送りません。この PC のモデルを選べば、何も送られません。</source>
        <translation>Secret conversations and documents are not sent. With a model of this PC nothing is.</translation>
    </message>
    <message>
        <source>計算の場所</source>
        <translation>Computed on</translation>
    </message>
    <message>
        <source>送って質問する</source>
        <translation>Send and ask</translation>
    </message>
    <message>
        <source>送らない</source>
        <translation>Do not send</translation>
    </message>
</context>
<context>
    <name>RemoteDialog</name>
    <message>
        <source>API キーを OS のパスワード管理に保存する</source>
        <translation>Keep the API key in the system&apos;s store of passwords</translation>
    </message>
    <message>
        <source>API キー（必要なときだけ）</source>
        <translation>API key (only where it is needed)</translation>
    </message>
    <message>
        <source>Kotae を閉じるまで覚えておくだけで、このサーバーのほかには送りません。</source>
        <translation>Remembered only until Kotae is closed, and sent to no other server.</translation>
    </message>
    <message>
        <source>LAN のサーバーの接続を変える</source>
        <translation>Change the connection to a server in the LAN</translation>
    </message>
    <message>
        <source>LAN のサーバーを使う</source>
        <translation>Use a server in the LAN</translation>
    </message>
    <message>
        <source>vLLM、llama-server、Ollama など、OpenAI 互換のサーバーのモデルに質問します。質問と、引用する資料の文章が、この PC からそのサーバーへ送られます。</source>
        <translation>Asks a model of an OpenAI-compatible server (vLLM, llama-server, Ollama and the like). Questions, and the texts quoted from documents, are sent from this PC to that server.</translation>
    </message>
    <message>
        <source>✓ つながりました。モデルは {n} 個です。</source>
        <translation>✓ Connected. Models: {n}</translation>
    </message>
    <message>
        <source>このサーバーが一度に読めるのは {n} トークンです。</source>
        <translation>This server reads {n} tokens at once.</translation>
    </message>
    <message>
        <source>このサーバーは一度に読める長さを知らせません。分かるときは入れてください。</source>
        <translation>This server does not say how much it reads at once. Enter it if you know.</translation>
    </message>
    <message>
        <source>アドレス</source>
        <translation>Address</translation>
    </message>
    <message>
        <source>アドレスを入れて接続を確かめると、モデルを選べます。</source>
        <translation>Enter the address and check the connection to choose a model.</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>サーバーに従う</source>
        <translation>As the server says</translation>
    </message>
    <message>
        <source>モデル</source>
        <translation>Model</translation>
    </message>
    <message>
        <source>一覧での名前</source>
        <translation>Name in the list</translation>
    </message>
    <message>
        <source>使えるのは、この PC か LAN の中のサーバーだけです。</source>
        <translation>Only servers on this PC or in the LAN can be used.</translation>
    </message>
    <message>
        <source>保存しないときは Kotae を閉じるまで覚えておくだけです。このサーバーのほかには送りません。</source>
        <translation>Unless it is kept, it is remembered only until Kotae is closed. It is sent to no other server.</translation>
    </message>
    <message>
        <source>変更する</source>
        <translation>Change</translation>
    </message>
    <message>
        <source>接続を確かめる</source>
        <translation>Check the connection</translation>
    </message>
    <message>
        <source>接続を確かめると、モデルを選べます。</source>
        <translation>Check the connection to choose a model.</translation>
    </message>
    <message>
        <source>文脈の長さ（トークン）</source>
        <translation>Context length (tokens)</translation>
    </message>
    <message>
        <source>確かめています…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>追加する</source>
        <translation>Add</translation>
    </message>
</context>
<context>
    <name>RemoteMark</name>
    <message>
        <source>外部通信を止めているため、{place} には質問できません</source>
        <translation>Outside traffic is blocked, so {place} cannot be asked</translation>
    </message>
</context>
<context>
    <name>RenameDialog</name>
    <message>
        <source>× 同じ名前の質問集があります。別の名前にしてください。</source>
        <translation>× There is a question set of that name. Choose another name.</translation>
    </message>
    <message>
        <source>× 名前を入力してください。</source>
        <translation>× Enter a name.</translation>
    </message>
    <message>
        <source>これまでの評価の結果は、前の名前のまま残ります。</source>
        <translation>Results so far keep the old name.</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>変える</source>
        <translation>Rename</translation>
    </message>
    <message>
        <source>質問集の名前</source>
        <translation>Name of the question set</translation>
    </message>
    <message>
        <source>質問集の名前を変える</source>
        <translation>Rename the question set</translation>
    </message>
</context>
<context>
    <name>ReportPanel</name>
    <message>
        <source>← 一覧に戻る</source>
        <translation>← Back to the list</translation>
    </message>
    <message>
        <source>このまま使う</source>
        <translation>Use as it is</translation>
    </message>
    <message>
        <source>そのページの内容は、まだ検索できません。</source>
        <translation>What is on these pages cannot be searched yet.</translation>
    </message>
    <message>
        <source>もう一度読む</source>
        <translation>Read again</translation>
    </message>
    <message>
        <source>フォルダで表示</source>
        <translation>Show in folder</translation>
    </message>
    <message>
        <source>取り込みの報告</source>
        <translation>Import report</translation>
    </message>
    <message>
        <source>問題がなければ、そのまま使えます。</source>
        <translation>If nothing looks wrong, it can be used as it is.</translation>
    </message>
    <message>
        <source>場所</source>
        <translation>Place</translation>
    </message>
    <message>
        <source>文字コードを変更…</source>
        <translation>Change the encoding…</translation>
    </message>
    <message>
        <source>文字認識には、Tesseract と日本語のデータのインストールが必要です。</source>
        <translation>Text recognition needs Tesseract and its Japanese data to be installed.</translation>
    </message>
    <message>
        <source>文字認識を行う</source>
        <translation>Recognize text</translation>
    </message>
    <message>
        <source>画像だけのページが {n} あります。</source>
        <translation>{n} pages are images only.</translation>
    </message>
    <message>
        <source>読み取った内容を確かめてください。</source>
        <translation>Please check what was read.</translation>
    </message>
    <message>
        <source>開く</source>
        <translation>Open</translation>
    </message>
</context>
<context>
    <name>ReportWindow</name>
    <message>
        <source>{n} か所</source>
        <translation>{n} found</translation>
    </message>
    <message>
        <source>この内容を、1 つのファイルとして保存します</source>
        <translation>This is what will be saved, as one file</translation>
    </message>
    <message>
        <source>コピー</source>
        <translation>Copy</translation>
    </message>
    <message>
        <source>テキスト (*.txt)</source>
        <translation>Text (*.txt)</translation>
    </message>
    <message>
        <source>保存…</source>
        <translation>Save…</translation>
    </message>
    <message>
        <source>保存しました。送信はしていません。</source>
        <translation>Saved. Nothing was sent.</translation>
    </message>
    <message>
        <source>内容を検索</source>
        <translation>Search the text</translation>
    </message>
    <message>
        <source>内容を集めています…</source>
        <translation>Collecting…</translation>
    </message>
    <message>
        <source>報告の保存先</source>
        <translation>Where to save the report</translation>
    </message>
    <message>
        <source>報告の内容</source>
        <translation>Text of the report</translation>
    </message>
    <message>
        <source>報告用のファイル</source>
        <translation>Problem report</translation>
    </message>
    <message>
        <source>場所：{path}</source>
        <translation>Place: {path}</translation>
    </message>
    <message>
        <source>見つかりません</source>
        <translation>Not found</translation>
    </message>
    <message>
        <source>質問、回答、資料の文章や名前は入っていません。どこにも送りません。渡す前に、ここで全部読めます。</source>
        <translation>It holds no text or names of questions, answers or documents, and is sent nowhere. You can read all of it here before you hand it on.</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>Result</name>
    <message>
        <source>{a}／{b}</source>
        <translation>{a}/{b}</translation>
    </message>
    <message>
        <source>{lo} 〜 {hi}</source>
        <translation>{lo} to {hi}</translation>
    </message>
    <message>
        <source>{most} 以下</source>
        <translation>{most} or less</translation>
    </message>
    <message>
        <source>{n} 件</source>
        <translation>{n}</translation>
    </message>
    <message>
        <source>{n} 件以上</source>
        <translation>{n} or more</translation>
    </message>
    <message>
        <source>{p} 以上</source>
        <translation>{p} or more</translation>
    </message>
    <message>
        <source>{p} 以下</source>
        <translation>{p} or less</translation>
    </message>
    <message>
        <source>±{most} 以内</source>
        <translation>within ±{most}</translation>
    </message>
    <message>
        <source>お手本より大きく下がらない</source>
        <translation>Not far below the kept-back answers</translation>
    </message>
    <message>
        <source>お手本（{p}）との差が {n} ポイント以内</source>
        <translation>Within {n} points of the kept-back answers ({p})</translation>
    </message>
    <message>
        <source>すべて一致</source>
        <translation>All equal</translation>
    </message>
    <message>
        <source>その他</source>
        <translation>Other</translation>
    </message>
    <message>
        <source>グループ別の損失（小さいほど良い）</source>
        <translation>Loss by group (smaller is better)</translation>
    </message>
    <message>
        <source>下がる（区間の上限が 0 未満）</source>
        <translation>Falls (interval below 0)</translation>
    </message>
    <message>
        <source>不合格</source>
        <translation>Failed</translation>
    </message>
    <message>
        <source>不採用</source>
        <translation>Do not adopt</translation>
    </message>
    <message>
        <source>中くらいの回答</source>
        <translation>Medium answers</translation>
    </message>
    <message>
        <source>使う形にしたときの損失の増加</source>
        <translation>Loss added by the form</translation>
    </message>
    <message>
        <source>元のモデル＋アダプター</source>
        <translation>Base + adapter</translation>
    </message>
    <message>
        <source>分野別の損失（小さいほど良い）</source>
        <translation>Loss by category (smaller is better)</translation>
    </message>
    <message>
        <source>判定に使った件数</source>
        <translation>Examples that were judged by</translation>
    </message>
    <message>
        <source>合格</source>
        <translation>Passed</translation>
    </message>
    <message>
        <source>同じ文の繰り返し</source>
        <translation>repeats itself</translation>
    </message>
    <message>
        <source>同じ文を繰り返す回答</source>
        <translation>Answers that repeat themselves</translation>
    </message>
    <message>
        <source>回答なし</source>
        <translation>no answer</translation>
    </message>
    <message>
        <source>回答の長さ別の損失（小さいほど良い）</source>
        <translation>Loss by length of the answer (smaller is better)</translation>
    </message>
    <message>
        <source>変わらない</source>
        <translation>Same</translation>
    </message>
    <message>
        <source>差 {d}、95&#xa0;% 区間 {lo} 〜 {hi}</source>
        <translation>difference {d}, 95 % interval {lo} to {hi}</translation>
    </message>
    <message>
        <source>必要なメモリ</source>
        <translation>Memory needed</translation>
    </message>
    <message>
        <source>悪くなった</source>
        <translation>Worse</translation>
    </message>
    <message>
        <source>採用</source>
        <translation>Adopt</translation>
    </message>
    <message>
        <source>損失 {v}</source>
        <translation>Loss {v}</translation>
    </message>
    <message>
        <source>日本語の割合</source>
        <translation>Share of Japanese</translation>
    </message>
    <message>
        <source>書き出しによる損失の増加</source>
        <translation>Loss added by exporting</translation>
    </message>
    <message>
        <source>書式の一致（トークン列）</source>
        <translation>Same prompt tokens</translation>
    </message>
    <message>
        <source>未測定</source>
        <translation>Not measured</translation>
    </message>
    <message>
        <source>正解文の損失（付属のアダプターと比べて）</source>
        <translation>Loss of the reference (against the adapter that comes with it)</translation>
    </message>
    <message>
        <source>正解文の損失（使う形）</source>
        <translation>Loss of the reference (form to use)</translation>
    </message>
    <message>
        <source>正解文の損失（学習の効果）</source>
        <translation>Loss of the reference (effect of training)</translation>
    </message>
    <message>
        <source>短い回答</source>
        <translation>Short answers</translation>
    </message>
    <message>
        <source>空き {size} 以内</source>
        <translation>Within {size} that are free</translation>
    </message>
    <message>
        <source>組み込みによる損失の変化</source>
        <translation>Loss changed by merging</translation>
    </message>
    <message>
        <source>組み込み済み {form}</source>
        <translation>Merged {form}</translation>
    </message>
    <message>
        <source>自分で書き終えた回答</source>
        <translation>Answers that ended by themselves</translation>
    </message>
    <message>
        <source>良くなった</source>
        <translation>Better</translation>
    </message>
    <message>
        <source>要確認</source>
        <translation>Needs review</translation>
    </message>
    <message>
        <source>途中で打ち切り</source>
        <translation>cut off</translation>
    </message>
    <message>
        <source>長い回答</source>
        <translation>Long answers</translation>
    </message>
</context>
<context>
    <name>ResultDeeds</name>
    <message>
        <source>報告書の保存先</source>
        <translation>Save the report</translation>
    </message>
    <message>
        <source>結果の保存先</source>
        <translation>Save the results</translation>
    </message>
</context>
<context>
    <name>ResultList</name>
    <message>
        <source>ほか {n} 件</source>
        <translation>{n} more</translation>
    </message>
    <message>
        <source>会話の名前</source>
        <translation>Name of the conversation</translation>
    </message>
    <message>
        <source>回答</source>
        <translation>Answer</translation>
    </message>
    <message>
        <source>質問</source>
        <translation>Question</translation>
    </message>
</context>
<context>
    <name>ResultPanel</name>
    <message>
        <source>1 つ前に戻す</source>
        <translation>Take back the last one</translation>
    </message>
    <message>
        <source>「{name}」が良い</source>
        <translation>{name} is better</translation>
    </message>
    <message>
        <source>ブラインド比較の結果</source>
        <translation>Result of the blind comparison</translation>
    </message>
    <message>
        <source>割合</source>
        <translation>Share</translation>
    </message>
    <message>
        <source>合計</source>
        <translation>Total</translation>
    </message>
    <message>
        <source>問数</source>
        <translation>Questions</translation>
    </message>
    <message>
        <source>構成を選び直す</source>
        <translation>Choose other settings</translation>
    </message>
    <message>
        <source>続きから比べる</source>
        <translation>Go on comparing</translation>
    </message>
    <message>
        <source>選んだもの</source>
        <translation>Choice</translation>
    </message>
</context>
<context>
    <name>ResultStep</name>
    <message>
        <source>✓ 質問に使っています。</source>
        <translation>✓ In use for questions.</translation>
    </message>
    <message>
        <source>「使う形」で選んだ形を、先に作ってください。</source>
        <translation>Make the form that is chosen under Form to use first.</translation>
    </message>
    <message>
        <source>元のモデルに戻す</source>
        <translation>Back to the base model</translation>
    </message>
    <message>
        <source>前のアダプターから続けた学習です。ここでの「学習前」は、アダプターを付けない元のモデルです。</source>
        <translation>This training went on from an earlier adapter. Here, “before” is the base without any adapter.</translation>
    </message>
    <message>
        <source>学習か評価が進んでいるため、終わるまで待ってください。</source>
        <translation>Training or judging is under way. Wait until it has ended.</translation>
    </message>
    <message>
        <source>評価で詳しく比べる</source>
        <translation>Compare in detail under Evaluation</translation>
    </message>
</context>
<context>
    <name>ResultView</name>
    <message>
        <source>Excel に書き出す</source>
        <translation>Export to Excel</translation>
    </message>
    <message>
        <source>HTML として保存…</source>
        <translation>Save as HTML…</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open folder</translation>
    </message>
    <message>
        <source>ブラインド比較</source>
        <translation>Blind comparison</translation>
    </message>
    <message>
        <source>問いごとの結果</source>
        <translation>By question</translation>
    </message>
    <message>
        <source>報告書</source>
        <translation>Report</translation>
    </message>
    <message>
        <source>報告書を開く</source>
        <translation>Open the report</translation>
    </message>
    <message>
        <source>書き出しました。</source>
        <translation>Exported.</translation>
    </message>
    <message>
        <source>読み込み中…</source>
        <translation>Loading…</translation>
    </message>
</context>
<context>
    <name>ReturnDialog</name>
    <message>
        <source>job.json があるフォルダを選びます。</source>
        <translation>Choose the folder with job.json in it.</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>作業フォルダの結果を取り込みますか</source>
        <translation>Take in the result of a work folder?</translation>
    </message>
    <message>
        <source>別の PC で終わった学習を、この PC の一覧に加えます。中身が変わっていないことも確かめます。戻したフォルダは、そのまま残ります。</source>
        <translation>A training that was finished on another computer is added to the list here. It is checked that nothing in it has changed. The folder itself stays as it is.</translation>
    </message>
    <message>
        <source>取り込む</source>
        <translation>Import</translation>
    </message>
    <message>
        <source>戻した作業フォルダ</source>
        <translation>Work folder that came back</translation>
    </message>
    <message>
        <source>戻した作業フォルダを選ぶ</source>
        <translation>Choose the work folder that came back</translation>
    </message>
    <message>
        <source>結果を確かめて、取り込んでいます</source>
        <translation>Checking and taking in the result</translation>
    </message>
</context>
<context>
    <name>Review</name>
    <message>
        <source>{n} 件目</source>
        <translation>pair {n}</translation>
    </message>
    <message>
        <source>{n} 行目</source>
        <translation>row {n}</translation>
    </message>
    <message>
        <source>{who}：{text}</source>
        <translation>{who}: {text}</translation>
    </message>
    <message>
        <source>、</source>
        <translation>, </translation>
    </message>
    <message>
        <source>あと約 {h} 時間 {m} 分</source>
        <translation>about {h} h {m} min left</translation>
    </message>
    <message>
        <source>あと約 {m} 分</source>
        <translation>about {m} min left</translation>
    </message>
    <message>
        <source>すべて</source>
        <translation>All</translation>
    </message>
    <message>
        <source>カード番号</source>
        <translation>card number</translation>
    </message>
    <message>
        <source>マイナンバー</source>
        <translation>My Number</translation>
    </message>
    <message>
        <source>メールアドレス</source>
        <translation>mail address</translation>
    </message>
    <message>
        <source>住所</source>
        <translation>address</translation>
    </message>
    <message>
        <source>修正</source>
        <translation>Edited</translation>
    </message>
    <message>
        <source>個人情報らしい記載：{what}</source>
        <translation>May be personal data: {what}</translation>
    </message>
    <message>
        <source>判断したものはまだありません。</source>
        <translation>Nothing has been decided yet.</translation>
    </message>
    <message>
        <source>判断済み</source>
        <translation>Decided</translation>
    </message>
    <message>
        <source>却下</source>
        <translation>Rejected</translation>
    </message>
    <message>
        <source>口座番号</source>
        <translation>account number</translation>
    </message>
    <message>
        <source>採用</source>
        <translation>Accepted</translation>
    </message>
    <message>
        <source>未確認</source>
        <translation>Not reviewed</translation>
    </message>
    <message>
        <source>未確認のものはありません。</source>
        <translation>Nothing is left to review.</translation>
    </message>
    <message>
        <source>未確認（このまま使用）</source>
        <translation>Not reviewed (used as it is)</translation>
    </message>
    <message>
        <source>氏名</source>
        <translation>name</translation>
    </message>
    <message>
        <source>生年月日</source>
        <translation>date of birth</translation>
    </message>
    <message>
        <source>見直すデータはまだありません。</source>
        <translation>There is nothing to review yet.</translation>
    </message>
    <message>
        <source>資料にない質問</source>
        <translation>Not in the documents</translation>
    </message>
    <message>
        <source>郵便番号</source>
        <translation>postal code</translation>
    </message>
    <message>
        <source>除外</source>
        <translation>Left out</translation>
    </message>
    <message>
        <source>除外したものはありません。</source>
        <translation>Nothing is left out.</translation>
    </message>
    <message>
        <source>電話番号</source>
        <translation>telephone number</translation>
    </message>
</context>
<context>
    <name>ReviewDelegate</name>
    <message>
        <source>修正中</source>
        <translation>Being edited</translation>
    </message>
</context>
<context>
    <name>ReviewFoot</name>
    <message>
        <source>修正して採用</source>
        <translation>Edit and accept</translation>
    </message>
    <message>
        <source>元に戻す</source>
        <translation>Undo</translation>
    </message>
    <message>
        <source>却下</source>
        <translation>Reject</translation>
    </message>
    <message>
        <source>採用</source>
        <translation>Accept</translation>
    </message>
    <message>
        <source>見直しがあと {n} 件あります</source>
        <translation>{n} left to review</translation>
    </message>
    <message>
        <source>見直しは終わりました</source>
        <translation>Review finished</translation>
    </message>
    <message>
        <source>選ばれている行がありません</source>
        <translation>No row is selected</translation>
    </message>
</context>
<context>
    <name>ReviewItems</name>
    <message>
        <source>修正中</source>
        <translation>Being edited</translation>
    </message>
</context>
<context>
    <name>ReviewList</name>
    <message>
        <source>{a}／{b} 件</source>
        <translation>{a}/{b}</translation>
    </message>
    <message>
        <source>見直しが必要な行はありません</source>
        <translation>Nothing needs review</translation>
    </message>
    <message>
        <source>見直しの進み</source>
        <translation>Progress of the review</translation>
    </message>
</context>
<context>
    <name>ReviewTab</name>
    <message>
        <source>{done}。見直しは終わりました</source>
        <translation>{done}. Review finished</translation>
    </message>
    <message>
        <source>{i}／{n} 件目</source>
        <translation>{i} of {n}</translation>
    </message>
    <message>
        <source>修正して採用しました</source>
        <translation>Edited and accepted</translation>
    </message>
    <message>
        <source>元に戻しました</source>
        <translation>Undone</translation>
    </message>
    <message>
        <source>却下しました</source>
        <translation>Rejected</translation>
    </message>
    <message>
        <source>採用しました</source>
        <translation>Accepted</translation>
    </message>
</context>
<context>
    <name>ReviewView</name>
    <message>
        <source>A で採用、E で修正、R で却下します</source>
        <translation>A accepts, E edits, R rejects</translation>
    </message>
    <message>
        <source>見直すデータの一覧</source>
        <translation>Rows to review</translation>
    </message>
</context>
<context>
    <name>RowEditor</name>
    <message>
        <source> 修正して採用</source>
        <translation> Edit and accept</translation>
    </message>
    <message>
        <source> 修正をやめる</source>
        <translation> Give up the edit</translation>
    </message>
    <message>
        <source>修正中（未保存）</source>
        <translation>Being edited (not saved)</translation>
    </message>
    <message>
        <source>回答</source>
        <translation>Answer</translation>
    </message>
    <message>
        <source>質問</source>
        <translation>Question</translation>
    </message>
</context>
<context>
    <name>RunStep</name>
    <message>
        <source>
この PC では、スリープを止められません。電源の設定で、スリープしないようにしてください。</source>
        <translation>
This PC cannot be kept awake from here. Turn sleep off in the power settings.</translation>
    </message>
    <message>
        <source>ここで終えて最良を残す</source>
        <translation>Finish and keep the best</translation>
    </message>
    <message>
        <source>別の学習が動いています。終わると「続ける」を押せます。</source>
        <translation>Another run is going on. You can resume this one when that has ended.</translation>
    </message>
    <message>
        <source>学習は続いていました。</source>
        <translation>Training has continued.</translation>
    </message>
    <message>
        <source>画面を閉じても学習は続きます。質問用のモデルは学習中だけメモリから下ろし、終わると自動で戻します。</source>
        <translation>Training continues when this window closes. The chat model is unloaded meanwhile and comes back afterwards.</translation>
    </message>
    <message>
        <source>記録のフォルダを開く</source>
        <translation>Open the log folder</translation>
    </message>
    <message>
        <source>質問への回答が終わるのを待っています。終わりしだい始めます。</source>
        <translation>Waiting for an answer to be finished; then it starts.</translation>
    </message>
</context>
<context>
    <name>Running</name>
    <message>
        <source>{a}／{b} 件（{p} %）</source>
        <translation>{a} of {b} ({p} %)</translation>
    </message>
    <message>
        <source>ここで止める</source>
        <translation>Stop here</translation>
    </message>
    <message>
        <source>まとめて質問</source>
        <translation>Ask in batch</translation>
    </message>
    <message>
        <source>一時停止</source>
        <translation>Pause</translation>
    </message>
    <message>
        <source>一時停止しています</source>
        <translation>Paused</translation>
    </message>
    <message>
        <source>次へ：{step}</source>
        <translation>Next: {step}</translation>
    </message>
    <message>
        <source>止めています…</source>
        <translation>Stopping…</translation>
    </message>
    <message>
        <source>答えています：{question}</source>
        <translation>Answering: {question}</translation>
    </message>
    <message>
        <source>続きから再開</source>
        <translation>Resume</translation>
    </message>
    <message>
        <source>続きを調べています</source>
        <translation>Looking where to go on</translation>
    </message>
</context>
<context>
    <name>SafeMode</name>
    <message>
        <source>GPU の部品：使いません</source>
        <translation>GPU parts: not used</translation>
    </message>
    <message>
        <source>まず「ふつうに起動し直す」を押してください。一度きりの問題なら、これで戻ります。</source>
        <translation>First press “Restart as usual”. If it happened only once, that is all it takes.</translation>
    </message>
    <message>
        <source>セーフモードについて</source>
        <translation>About safe mode</translation>
    </message>
    <message>
        <source>ダウンロードなどの、続きからの案内：出しません</source>
        <translation>Offers to go on with downloads and the like: not shown</translation>
    </message>
    <message>
        <source>テーマ、文字の大きさ、ウィンドウの位置：既定に戻しています</source>
        <translation>Theme, text size, place of the window: back to their defaults</translation>
    </message>
    <message>
        <source>モデルの先読みと重みの並べ替え：しません。質問したときに読み込みます</source>
        <translation>Loading models ahead and repacking weights: off; a model is loaded when you ask</translation>
    </message>
    <message>
        <source>・{text}</source>
        <translation>• {text}</translation>
    </message>
    <message>
        <source>会話が開けないときは、Kotae を閉じて {database} を（名前に -wal や -shm が付いたものも一緒に）別の場所へ移し、{backups} の新しい控えを同じ名前で置いてください。</source>
        <translation>If conversations cannot be opened, close Kotae, move {database} away (with those that have -wal or -shm after its name) and put the newest backup from {backups} in its place, under the same name.</translation>
    </message>
    <message>
        <source>最近追加したモデルがあれば、そのファイルを別の場所へ移してください：{path}</source>
        <translation>If you have added a model lately, move its file somewhere else: {path}</translation>
    </message>
    <message>
        <source>止めているもの</source>
        <translation>What is off</translation>
    </message>
    <message>
        <source>止めているものと、試せること</source>
        <translation>What is off, and what you can try</translation>
    </message>
    <message>
        <source>画面が乱れる、または出ないときは、グラフィックスのドライバーを更新してください。</source>
        <translation>If the window is garbled or does not appear, update the graphics driver.</translation>
    </message>
    <message>
        <source>画面の描画：グラフィックスを使わず、ソフトウェアで描きます</source>
        <translation>Drawing: by software, without the graphics processor</translation>
    </message>
    <message>
        <source>続くときは、報告用のファイルを作り、管理者や配布元に渡してください。</source>
        <translation>If it goes on, make a problem report and hand it to your administrator or to whoever gave you Kotae.</translation>
    </message>
    <message>
        <source>試せること</source>
        <translation>What you can try</translation>
    </message>
    <message>
        <source>資料の読み取りと、フォルダの変更の確認：「資料」の画面で再開できます</source>
        <translation>Reading documents and looking for changes in folders: can be resumed on the page Documents</translation>
    </message>
    <message>
        <source>質問、会話の検索、書き出しは、ふだんどおりに使えます。</source>
        <translation>Asking, searching conversations and exporting work as usual.</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>Samples</name>
    <message>
        <source>ステップ {a}〜{b}（最新）</source>
        <translation>Steps {a}-{b} (latest)</translation>
    </message>
    <message>
        <source>ステップ {s}</source>
        <translation>Step {s}</translation>
    </message>
    <message>
        <source>ステップ {s}（最新）</source>
        <translation>Step {s} (latest)</translation>
    </message>
    <message>
        <source>前の問い</source>
        <translation>Previous question</translation>
    </message>
    <message>
        <source>問い {i}／{n}</source>
        <translation>Question {i}/{n}</translation>
    </message>
    <message>
        <source>回答の変化</source>
        <translation>How answers change</translation>
    </message>
    <message>
        <source>学習前</source>
        <translation>Before</translation>
    </message>
    <message>
        <source>学習前（ステップ {s} でも同じ）</source>
        <translation>Before training (the same at step {s})</translation>
    </message>
    <message>
        <source>最初の検証のときに、検証用の質問への回答をここに並べます。</source>
        <translation>From the first evaluation on, answers to validation questions are shown here.</translation>
    </message>
    <message>
        <source>次の問い</source>
        <translation>Next question</translation>
    </message>
    <message>
        <source>正解</source>
        <translation>Reference</translation>
    </message>
    <message>
        <source>長さの上限で打ち切り</source>
        <translation>cut off at the length limit</translation>
    </message>
</context>
<context>
    <name>ScalePart</name>
    <message>
        <source> 回</source>
        <translation>times</translation>
    </message>
    <message>
        <source>50, 100, 200, 400 のように書きます。空なら、全体の 12.5、25、50、100 % で比べます。</source>
        <translation>Rows, such as 50, 100, 200, 400. Left empty: 12.5, 25, 50 and 100 % of all.</translation>
    </message>
    <message>
        <source>{n} 回</source>
        <translation>{n} times</translation>
    </message>
    <message>
        <source>「学習」で分割して固定したデータです。</source>
        <translation>Data that were split and frozen on the page Fine-tuning.</translation>
    </message>
    <message>
        <source>データが増えた効果と、学習が長くなった効果を分けられます。学習の回数が増えます。</source>
        <translation>Tells what more data bring from what longer training brings. Takes more runs.</translation>
    </message>
    <message>
        <source>件数ごとの学習</source>
        <translation>Runs of each amount</translation>
    </message>
    <message>
        <source>偶然の差と区別するために、同じ件数で何回学習するかです。3 回以上を勧めます。</source>
        <translation>How often each amount is trained, so that differences can be told from chance. 3 or more are advised.</translation>
    </message>
    <message>
        <source>名前のない学習</source>
        <translation>Unnamed training</translation>
    </message>
    <message>
        <source>土台のモデル</source>
        <translation>Base models</translation>
    </message>
    <message>
        <source>学習のしかた</source>
        <translation>Way of training</translation>
    </message>
    <message>
        <source>学習の回数をそろえた対照も学習する</source>
        <translation>Also train controls with as many steps</translation>
    </message>
    <message>
        <source>学習データ</source>
        <translation>Training data</translation>
    </message>
    <message>
        <source>対照</source>
        <translation>Control</translation>
    </message>
    <message>
        <source>比べる件数</source>
        <translation>Amounts to compare</translation>
    </message>
    <message>
        <source>自動</source>
        <translation>Automatic</translation>
    </message>
</context>
<context>
    <name>ScopeChip</name>
    <message>
        <source>{name} を外す</source>
        <translation>Remove {name}</translation>
    </message>
    <message>
        <source>ありません</source>
        <translation>Not found</translation>
    </message>
</context>
<context>
    <name>ScopeLine</name>
    <message>
        <source>{n} 件</source>
        <translation>{n} items</translation>
    </message>
    <message>
        <source>{n} 件は読み取り前</source>
        <translation>{n} not read yet</translation>
    </message>
    <message>
        <source>、</source>
        <translation>, </translation>
    </message>
    <message>
        <source>ありません</source>
        <translation>Not found</translation>
    </message>
    <message>
        <source>対象の資料</source>
        <translation>Documents to search</translation>
    </message>
    <message>
        <source>資料なしで回答します（出典は付きません）</source>
        <translation>Answers without documents (no sources)</translation>
    </message>
    <message>
        <source>資料を追加…</source>
        <translation>Add documents…</translation>
    </message>
    <message>
        <source>資料を選ぶ</source>
        <translation>Choose documents</translation>
    </message>
    <message>
        <source>質問する資料を選びます</source>
        <translation>Choose the documents to ask</translation>
    </message>
</context>
<context>
    <name>SearchField</name>
    <message>
        <source>検索語を消す</source>
        <translation>Clear the search</translation>
    </message>
</context>
<context>
    <name>SearchPage</name>
    <message>
        <source>&#x3000;多いため、一部を表示しています。言葉を足すと絞り込めます。</source>
        <translation> There are many; some are shown. Add words to narrow it down.</translation>
    </message>
    <message>
        <source>「{q}」は見つかりません。</source>
        <translation>Nothing found for &quot;{q}&quot;.</translation>
    </message>
    <message>
        <source>すべての会話の質問と回答から探します。
例：「橋脚&#x3000;かぶり」&#x3000;両方の言葉を含むものが見つかります。</source>
        <translation>Searches the questions and answers of all conversations.
Example: &quot;pier cover&quot; finds what contains both words.</translation>
    </message>
    <message>
        <source>会話 {n}</source>
        <translation>Conversations {n}</translation>
    </message>
    <message>
        <source>会話を検索</source>
        <translation>Search conversations</translation>
    </message>
    <message>
        <source>検索</source>
        <translation>Search</translation>
    </message>
    <message>
        <source>見つかった会話</source>
        <translation>Conversations found</translation>
    </message>
</context>
<context>
    <name>Secrecy</name>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>コピーした日時を記録します。内容は記録しません。</source>
        <translation>The time is recorded, and none of the content.</translation>
    </message>
    <message>
        <source>コピーする</source>
        <translation>Copy</translation>
    </message>
    <message>
        <source>下げる</source>
        <translation>Lower</translation>
    </message>
    <message>
        <source>下げると、この資料集の文章を、確認なしに書き出したりコピーしたりできるようになります。下げた日時と資料集の名前を記録します。</source>
        <translation>The text of this collection can then be exported and copied without a question. When it was lowered, and the collection’s name, are logged.</translation>
    </message>
    <message>
        <source>作る</source>
        <translation>Make</translation>
    </message>
    <message>
        <source>学習したモデルの回答に、資料の内容が現れることがあります。作った日時と保存先を記録します。内容は記録しません。</source>
        <translation>What the documents hold may appear in answers of the trained model. The time and the file are put on record, not the content.</translation>
    </message>
    <message>
        <source>書き出した日時と宛先を記録します。内容は記録しません。</source>
        <translation>The time and destination are recorded, and none of the content.</translation>
    </message>
    <message>
        <source>書き出す</source>
        <translation>Export</translation>
    </message>
    <message>
        <source>機密の内容をコピーしますか</source>
        <translation>Copy confidential content?</translation>
    </message>
    <message>
        <source>機密の内容を書き出しますか</source>
        <translation>Export confidential content?</translation>
    </message>
    <message>
        <source>機密の資料から学習データを作りますか</source>
        <translation>Make training data from confidential documents?</translation>
    </message>
    <message>
        <source>資料集「{name}」のラベルを、機密から{label}に下げますか</source>
        <translation>Lower the label of the collection “{name}” from confidential to {label}?</translation>
    </message>
</context>
<context>
    <name>SetExport</name>
    <message>
        <source>質問集の書き出し先</source>
        <translation>Export the question set to</translation>
    </message>
</context>
<context>
    <name>SetHead</name>
    <message>
        <source>最新</source>
        <translation>newest</translation>
    </message>
    <message>
        <source>版</source>
        <translation>Version</translation>
    </message>
</context>
<context>
    <name>SetView</name>
    <message>
        <source>Excel に書き出す</source>
        <translation>Export to Excel</translation>
    </message>
    <message>
        <source>{n} 問を削除しました。</source>
        <translation>Deleted {n} questions.</translation>
    </message>
    <message>
        <source>「{file}」に書き出しました。</source>
        <translation>Exported to &quot;{file}&quot;.</translation>
    </message>
    <message>
        <source>「{question}」を削除しました。</source>
        <translation>Deleted &quot;{question}&quot;.</translation>
    </message>
    <message>
        <source>「{question}」を変更しました。</source>
        <translation>Changed &quot;{question}&quot;.</translation>
    </message>
    <message>
        <source>「{question}」を追加しました。</source>
        <translation>Added &quot;{question}&quot;.</translation>
    </message>
    <message>
        <source>「{words}」を含む問いはありません。</source>
        <translation>No question has &quot;{words}&quot;.</translation>
    </message>
    <message>
        <source>この版に戻す</source>
        <translation>Go back to this version</translation>
    </message>
    <message>
        <source>この版は読めません。</source>
        <translation>This version cannot be read.</translation>
    </message>
    <message>
        <source>この質問集で評価…</source>
        <translation>Evaluate with this set…</translation>
    </message>
    <message>
        <source>この質問集は読めません。</source>
        <translation>This question set cannot be read.</translation>
    </message>
    <message>
        <source>この質問集を削除</source>
        <translation>Delete this question set</translation>
    </message>
    <message>
        <source>すべての問いは削除できません。</source>
        <translation>Not all questions can be deleted.</translation>
    </message>
    <message>
        <source>バックアップから戻すか、一覧で削除して、元のファイルから取り込み直してください。</source>
        <translation>Put it back from a backup, or delete it in the list and import the original file again.</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open folder</translation>
    </message>
    <message>
        <source>削除</source>
        <translation>Delete</translation>
    </message>
    <message>
        <source>前の版（版 {n}）を表示しています。</source>
        <translation>An earlier version (version {n}) is shown.</translation>
    </message>
    <message>
        <source>右上で前の版を選ぶと、その版に戻せます。</source>
        <translation>Choose an earlier version at the upper right to go back to it.</translation>
    </message>
    <message>
        <source>名前を「{name}」に変えました。</source>
        <translation>Renamed to &quot;{name}&quot;.</translation>
    </message>
    <message>
        <source>名前を変える…</source>
        <translation>Rename…</translation>
    </message>
    <message>
        <source>問いを削除</source>
        <translation>Question deleted</translation>
    </message>
    <message>
        <source>問いを検索</source>
        <translation>Search questions</translation>
    </message>
    <message>
        <source>問いを編集</source>
        <translation>Edit question</translation>
    </message>
    <message>
        <source>問いを追加</source>
        <translation>Add question</translation>
    </message>
    <message>
        <source>問いを追加…</source>
        <translation>Add question…</translation>
    </message>
    <message>
        <source>変更の取り消し</source>
        <translation>Change taken back</translation>
    </message>
    <message>
        <source>書き出す（Excel、CSV、JSON Lines）…</source>
        <translation>Export (Excel, CSV, JSON Lines)…</translation>
    </message>
    <message>
        <source>版 {n} に戻しました。</source>
        <translation>Went back to version {n}.</translation>
    </message>
    <message>
        <source>版 {n} に戻す</source>
        <translation>Back to version {n}</translation>
    </message>
    <message>
        <source>編集</source>
        <translation>Edit</translation>
    </message>
    <message>
        <source>編集…</source>
        <translation>Edit…</translation>
    </message>
    <message>
        <source>編集と評価は、最新の版で行います。</source>
        <translation>Editing and evaluating are done with the newest version.</translation>
    </message>
    <message>
        <source>質問集には問いが 1 つ以上必要です。質問集ごと削除するときは、一覧から削除してください。</source>
        <translation>A set needs at least one question. To delete the whole set, delete it in the list.</translation>
    </message>
    <message>
        <source>質問集の操作</source>
        <translation>Actions for the question set</translation>
    </message>
</context>
<context>
    <name>SettingsPage</name>
    <message>
        <source>Kotae について</source>
        <translation>About Kotae</translation>
    </message>
    <message>
        <source>データ</source>
        <translation>Data</translation>
    </message>
    <message>
        <source>プリセット</source>
        <translation>Presets</translation>
    </message>
    <message>
        <source>モデルと保存先</source>
        <translation>Models and storage</translation>
    </message>
    <message>
        <source>学習環境</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>表示</source>
        <translation>Appearance</translation>
    </message>
    <message>
        <source>設定</source>
        <translation>Settings</translation>
    </message>
    <message>
        <source>設定の項目</source>
        <translation>Sections</translation>
    </message>
    <message>
        <source>質問</source>
        <translation>Questions</translation>
    </message>
    <message>
        <source>通信</source>
        <translation>Network</translation>
    </message>
</context>
<context>
    <name>Setup</name>
    <message>
        <source>{n} 件</source>
        <translation>{n} documents</translation>
    </message>
    <message>
        <source>{n} 行目&#x3000;{text}</source>
        <translation>Row {n}: {text}</translation>
    </message>
    <message>
        <source>ほか {n} 件</source>
        <translation>{n} more</translation>
    </message>
    <message>
        <source>ほかのファイル…</source>
        <translation>Another file…</translation>
    </message>
    <message>
        <source>まだありません</source>
        <translation>None yet</translation>
    </message>
    <message>
        <source>モデル</source>
        <translation>Model</translation>
    </message>
    <message>
        <source>回答の保存先</source>
        <translation>Save answers to</translation>
    </message>
    <message>
        <source>変更…</source>
        <translation>Change…</translation>
    </message>
    <message>
        <source>対象の資料</source>
        <translation>Scope</translation>
    </message>
    <message>
        <source>答え始める</source>
        <translation>Start</translation>
    </message>
    <message>
        <source>資料なしで回答します（出典は付きません）</source>
        <translation>Answered without documents (no sources)</translation>
    </message>
    <message>
        <source>質問の列</source>
        <translation>Question column</translation>
    </message>
</context>
<context>
    <name>SheetView</name>
    <message>
        <source>出典の本文</source>
        <translation>Text of the source</translation>
    </message>
</context>
<context>
    <name>Sidebar</name>
    <message>
        <source>「{q}」は見つかりません。</source>
        <translation>Nothing found for &quot;{q}&quot;.</translation>
    </message>
    <message>
        <source>ごみ箱</source>
        <translation>Bin</translation>
    </message>
    <message>
        <source>一時的な会話</source>
        <translation>Temporary chat</translation>
    </message>
    <message>
        <source>会話の操作</source>
        <translation>Actions for conversations</translation>
    </message>
    <message>
        <source>会話を取り込む…</source>
        <translation>Import conversations…</translation>
    </message>
    <message>
        <source>会話を書き出す…</source>
        <translation>Export conversations…</translation>
    </message>
    <message>
        <source>会話を検索</source>
        <translation>Search conversations</translation>
    </message>
    <message>
        <source>新しいフォルダ</source>
        <translation>New folder</translation>
    </message>
    <message>
        <source>新しい質問</source>
        <translation>New question</translation>
    </message>
    <message>
        <source>質問すると、ここに会話が並びます。</source>
        <translation>Your conversations will stand here.</translation>
    </message>
</context>
<context>
    <name>SourceDialog</name>
    <message>
        <source>{name} を、どこから受け取りますか。</source>
        <translation>Where should {name} come from?</translation>
    </message>
    <message>
        <source>× http:// か https:// で始まるアドレスを入れてください。</source>
        <translation>× Enter an address that begins with http:// or https://.</translation>
    </message>
    <message>
        <source>× このフォルダに {name} はありません。</source>
        <translation>× This folder does not have {name}.</translation>
    </message>
    <message>
        <source>✓ ファイルがあります。</source>
        <translation>✓ The file is there.</translation>
    </message>
    <message>
        <source>アドレス</source>
        <translation>Address</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>フォルダか USB メモリ</source>
        <translation>Folder or USB stick</translation>
    </message>
    <message>
        <source>モデルのファイルがあるフォルダを選ぶ</source>
        <translation>Choose the folder that has the model&apos;s file</translation>
    </message>
    <message>
        <source>入手元</source>
        <translation>Source</translation>
    </message>
    <message>
        <source>入手元を指定</source>
        <translation>Choose a source</translation>
    </message>
    <message>
        <source>次へ</source>
        <translation>Next</translation>
    </message>
    <message>
        <source>社内のミラーか、ファイルそのもののアドレスです。この 1 回だけ使います。</source>
        <translation>A mirror in your company, or the address of the file itself. Used this once.</translation>
    </message>
    <message>
        <source>調べています…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>通信が許可されていません。フォルダからは受け取れます。</source>
        <translation>Traffic is not allowed. It can come from a folder.</translation>
    </message>
</context>
<context>
    <name>SourcePanel</name>
    <message>
        <source>{n} ページ</source>
        <translation>Page {n}</translation>
    </message>
    <message>
        <source>ファイルを開く</source>
        <translation>Open file</translation>
    </message>
    <message>
        <source>ページ</source>
        <translation>Page</translation>
    </message>
    <message>
        <source>出典</source>
        <translation>Source</translation>
    </message>
    <message>
        <source>出典 {i}／{n}</source>
        <translation>Source {i}/{n}</translation>
    </message>
    <message>
        <source>出典を閉じる</source>
        <translation>Close the source</translation>
    </message>
    <message>
        <source>前のページ</source>
        <translation>Previous page</translation>
    </message>
    <message>
        <source>前の出典</source>
        <translation>Previous source</translation>
    </message>
    <message>
        <source>回答と同じ内容の文はありません</source>
        <translation>No sentence with the same content</translation>
    </message>
    <message>
        <source>回答と照合した箇所 {n}</source>
        <translation>{n} passages compared with the answer</translation>
    </message>
    <message>
        <source>回答に使った箇所 {n}</source>
        <translation>{n} passages used</translation>
    </message>
    <message>
        <source>回答に戻る</source>
        <translation>Back to the answer</translation>
    </message>
    <message>
        <source>場所を指定</source>
        <translation>Locate</translation>
    </message>
    <message>
        <source>幅に合わせる</source>
        <translation>Fit width</translation>
    </message>
    <message>
        <source>引用をコピー</source>
        <translation>Copy quote</translation>
    </message>
    <message>
        <source>拡大</source>
        <translation>Larger</translation>
    </message>
    <message>
        <source>次のページ</source>
        <translation>Next page</translation>
    </message>
    <message>
        <source>次の出典</source>
        <translation>Next source</translation>
    </message>
    <message>
        <source>縮小</source>
        <translation>Smaller</translation>
    </message>
    <message>
        <source>質問に近い箇所です（回答には使っていません）</source>
        <translation>Near the question (not used in an answer)</translation>
    </message>
    <message>
        <source>／ {n} ページ</source>
        <translation>/ {n} pages</translation>
    </message>
</context>
<context>
    <name>SourceRow</name>
    <message>
        <source>出典 {n}</source>
        <translation>Source {n}</translation>
    </message>
    <message>
        <source>出典 {n}（Alt + {n}）</source>
        <translation>Source {n} (Alt + {n})</translation>
    </message>
    <message>
        <source>開いています</source>
        <translation>open</translation>
    </message>
</context>
<context>
    <name>SourceText</name>
    <message>
        <source>出典の本文</source>
        <translation>Text of the source</translation>
    </message>
</context>
<context>
    <name>Sources</name>
    <message>
        <source>「{name}」の場所</source>
        <translation>Where is &quot;{name}&quot;</translation>
    </message>
    <message>
        <source>いまの行と、見直しの結果 {n} 件は残りません。</source>
        <translation>The rows are replaced, and {n} decisions are lost.</translation>
    </message>
    <message>
        <source>いまの行を入れ替えますか</source>
        <translation>Replace the rows?</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>入れ替える</source>
        <translation>Replace</translation>
    </message>
    <message>
        <source>学習データのファイル ({kinds});;すべてのファイル (*)</source>
        <translation>Training data ({kinds});;All files (*)</translation>
    </message>
    <message>
        <source>学習データのファイルを選ぶ</source>
        <translation>Choose a file of training data</translation>
    </message>
</context>
<context>
    <name>SplitTab</name>
    <message>
        <source>{n} 行</source>
        <translation>{n} rows</translation>
    </message>
    <message>
        <source>まだ分けていません。</source>
        <translation>The rows are not split yet.</translation>
    </message>
    <message>
        <source>乱数の種</source>
        <translation>Seed</translation>
    </message>
    <message>
        <source>分けたあとに行が変わりました。いまの行で分割し直してください。</source>
        <translation>The rows have changed since they were split. Split them again.</translation>
    </message>
    <message>
        <source>分けて固定しました。</source>
        <translation>The rows are split and held fast.</translation>
    </message>
    <message>
        <source>分割し直す</source>
        <translation>Split again</translation>
    </message>
    <message>
        <source>同じ内容</source>
        <translation>The same as another</translation>
    </message>
    <message>
        <source>同じ回答が学習用にもある行：{n}（{c} 行について比べました）</source>
        <translation>Test rows whose answer is also in training: {n} ({c} were compared)</translation>
    </message>
    <message>
        <source>学習用</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>学習用とほとんど同じ行（類似度 {t} 以上）：{n}</source>
        <translation>Test rows nearly the same as a training row (similarity {t} or more): {n}</translation>
    </message>
    <message>
        <source>学習用と試験用にまたがるグループ：{n}</source>
        <translation>Groups in both training and test: {n}</translation>
    </message>
    <message>
        <source>学習用はモデルに覚えさせる行、検証用は学習の途中で確かめる行、試験用は最後に採点する行です。試験用は学習に使わず、内容が変わっていないことをハッシュで確かめます。</source>
        <translation>Training rows are learned, validation rows are looked at during training, test rows judge the result. Test rows are never trained on; their hash shows that they have not changed.</translation>
    </message>
    <message>
        <source>検証用</source>
        <translation>Validation</translation>
    </message>
    <message>
        <source>検証用の {n} 行は、学習用の行によく似ています。検証の損失は良く見えることがあります。</source>
        <translation>{n} validation rows are much like training rows. The validation loss may look better than it is.</translation>
    </message>
    <message>
        <source>残した行</source>
        <translation>Kept row</translation>
    </message>
    <message>
        <source>漏れの検査</source>
        <translation>Leakage check</translation>
    </message>
    <message>
        <source>行</source>
        <translation>Row</translation>
    </message>
    <message>
        <source>試験用</source>
        <translation>Test</translation>
    </message>
    <message>
        <source>試験用のハッシュ</source>
        <translation>Hash of the test rows</translation>
    </message>
    <message>
        <source>試験用の各行と、最も近い学習用の行との類似度：中央値 {median}、最大 {most}</source>
        <translation>Similarity of each test row to its nearest training row: median {median}, highest {most}</translation>
    </message>
    <message>
        <source>試験用の行に似ている</source>
        <translation>Like a test row</translation>
    </message>
    <message>
        <source>該当する試験用の行：{lines}。直すか却下して、分割し直してください。</source>
        <translation>Test rows concerned: {lines}. Edit or reject them, then split again.</translation>
    </message>
    <message>
        <source>除いた理由</source>
        <translation>Why it was removed</translation>
    </message>
    <message>
        <source>除いた行</source>
        <translation>Removed rows</translation>
    </message>
    <message>
        <source>除いた行 {n}</source>
        <translation>Removed rows: {n}</translation>
    </message>
    <message>
        <source>類似度</source>
        <translation>Similarity</translation>
    </message>
</context>
<context>
    <name>StageLine</name>
    <message>
        <source>モデルを読み込んでいます… {s} 秒</source>
        <translation>Loading the model… {s} s</translation>
    </message>
    <message>
        <source>回答中… {s} 秒</source>
        <translation>Answering… {s} s</translation>
    </message>
    <message>
        <source>根拠を照合しています</source>
        <translation>Checking against the sources</translation>
    </message>
    <message>
        <source>資料 {n} か所が見つかりました（検索 {ms} ms）</source>
        <translation>Found {n} passages (search {ms} ms)</translation>
    </message>
    <message>
        <source>資料 {n} か所を読みました（検索 {ms} ms）</source>
        <translation>Read {n} passages (search {ms} ms)</translation>
    </message>
    <message>
        <source>資料を探しています</source>
        <translation>Searching documents</translation>
    </message>
    <message>
        <source>質問を読んでいます {p} %</source>
        <translation>Reading the question {p} %</translation>
    </message>
</context>
<context>
    <name>StartDialog</name>
    <message>
        <source>ここで選んだ内容は残りません。</source>
        <translation>What you have chosen here will be lost.</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>何を比べますか</source>
        <translation>What do you want to compare?</translation>
    </message>
    <message>
        <source>実行せずに閉じる</source>
        <translation>Close without running</translation>
    </message>
    <message>
        <source>見積もっています…</source>
        <translation>Estimating…</translation>
    </message>
    <message>
        <source>見積もりが終わりしだい始めます…</source>
        <translation>Begins as soon as it is estimated…</translation>
    </message>
    <message>
        <source>評価を実行</source>
        <translation>Run evaluation</translation>
    </message>
    <message>
        <source>評価を実行せずに閉じますか</source>
        <translation>Close without running the evaluation?</translation>
    </message>
    <message>
        <source>評価を準備しています</source>
        <translation>Preparing the evaluation</translation>
    </message>
    <message>
        <source>詳しい設定をたたむ</source>
        <translation>Hide details</translation>
    </message>
    <message>
        <source>詳しい設定を開く</source>
        <translation>Show details</translation>
    </message>
    <message>
        <source>選択を続ける</source>
        <translation>Go on choosing</translation>
    </message>
</context>
<context>
    <name>StartNotice</name>
    <message>
        <source>Kotae {version} になりました。</source>
        <translation>This is Kotae {version} now.</translation>
    </message>
    <message>
        <source>ふつうに起動し直す</source>
        <translation>Restart as usual</translation>
    </message>
    <message>
        <source>セーフモードで開いています。</source>
        <translation>Kotae is in safe mode.</translation>
    </message>
    <message>
        <source>一部の働きを止め、表示を既定に戻しています。設定は変えていません。</source>
        <translation>Some functions are off, and the look is back to its default. Your settings are unchanged.</translation>
    </message>
    <message>
        <source>会話は保存されています。</source>
        <translation>Your conversations are saved.</translation>
    </message>
    <message>
        <source>前回は正しく終わりませんでした。</source>
        <translation>Kotae did not end properly the last time.</translation>
    </message>
    <message>
        <source>前回より古い版の Kotae です（今は {version}、前回は {before}）。</source>
        <translation>This Kotae is older than the last one (now {version}, last time {before}).</translation>
    </message>
    <message>
        <source>報告を作る…</source>
        <translation>Make a report…</translation>
    </message>
    <message>
        <source>新しい版で増えた設定は、消さずに残しておきます。</source>
        <translation>Settings that the newer version added are kept.</translation>
    </message>
    <message>
        <source>新しくなったこと</source>
        <translation>What is new</translation>
    </message>
    <message>
        <source>詳細…</source>
        <translation>Details…</translation>
    </message>
    <message>
        <source>起動に {n} 回続けて失敗したため、一部の働きを止め、表示を既定に戻しています。</source>
        <translation>{n} starts in a row failed: some functions are off, and the look is back to its default.</translation>
    </message>
</context>
<context>
    <name>StartOffers</name>
    <message>
        <source>この知らせを消す</source>
        <translation>Dismiss this notice</translation>
    </message>
    <message>
        <source>やめて元に戻す</source>
        <translation>Undo the move</translation>
    </message>
    <message>
        <source>モデルの保存先の移動が、途中で止まっています。</source>
        <translation>Moving the models folder was interrupted.</translation>
    </message>
    <message>
        <source>モデルの画面を開く</source>
        <translation>Open Models</translation>
    </message>
    <message>
        <source>前に始めた、モデルの保存先の移動があります。</source>
        <translation>A move of the models folder was begun before.</translation>
    </message>
    <message>
        <source>移動を続ける</source>
        <translation>Go on moving</translation>
    </message>
    <message>
        <source>移動先：{path}。元のファイルは、そのまま使えます。</source>
        <translation>To: {path}. The original files can be used as they are.</translation>
    </message>
    <message>
        <source>続きから再開</source>
        <translation>Resume</translation>
    </message>
    <message>
        <source>途中のダウンロードが {n} 件あります。</source>
        <translation>There are unfinished downloads ({n}).</translation>
    </message>
</context>
<context>
    <name>StartPanel</name>
    <message>
        <source>2 つの構成の回答がすべて同じなので、比べるものがありません。</source>
        <translation>There is nothing to compare: all answers of the two systems are the same.</translation>
    </message>
    <message>
        <source>2 つの構成の回答を、名前を伏せて並べます。良いと思うほうを選んでください。</source>
        <translation>The answers of two settings are shown side by side without their names. Choose the one that you find better.</translation>
    </message>
    <message>
        <source>ここまでの結果を見る</source>
        <translation>See the result so far</translation>
    </message>
    <message>
        <source>どちらの構成かは、選び終えるまで表示しません。</source>
        <translation>Which is which stays hidden until you finish.</translation>
    </message>
    <message>
        <source>ブラインド比較</source>
        <translation>Blind comparison</translation>
    </message>
    <message>
        <source>比べる構成</source>
        <translation>Settings to compare</translation>
    </message>
    <message>
        <source>比べる構成 1</source>
        <translation>Setting to compare, 1</translation>
    </message>
    <message>
        <source>比べる構成 2</source>
        <translation>Setting to compare, 2</translation>
    </message>
    <message>
        <source>比べ始める</source>
        <translation>Start comparing</translation>
    </message>
    <message>
        <source>結果を見る</source>
        <translation>See the result</translation>
    </message>
    <message>
        <source>続きから比べる</source>
        <translation>Go on comparing</translation>
    </message>
    <message>
        <source>違う構成を 2 つ選んでください。</source>
        <translation>Choose two different settings.</translation>
    </message>
</context>
<context>
    <name>StatusLine</name>
    <message>
        <source>CPU {n} スレッド</source>
        <translation>CPU {n} threads</translation>
    </message>
    <message>
        <source>GPU {a}／{b} 層</source>
        <translation>GPU {a}/{b} layers</translation>
    </message>
    <message>
        <source>{a}／{b} トークン</source>
        <translation>{a}/{b} tokens</translation>
    </message>
    <message>
        <source>▲ 停止しました</source>
        <translation>▲ Stopped</translation>
    </message>
    <message>
        <source>▲ 残りわずか</source>
        <translation>▲ Almost full</translation>
    </message>
    <message>
        <source>モデルが一度に読める量です。上限に近づくと、外す部分を確認します</source>
        <translation>How much the model can read at once. Near the limit you choose what to leave out</translation>
    </message>
    <message>
        <source>モデルは読み込まれていません</source>
        <translation>No model is loaded</translation>
    </message>
    <message>
        <source>モデルを読み込んでいます…</source>
        <translation>Loading the model…</translation>
    </message>
    <message>
        <source>回答中…</source>
        <translation>Answering…</translation>
    </message>
    <message>
        <source>学習中：質問用のモデルは休止中</source>
        <translation>Training: the model for questions rests</translation>
    </message>
    <message>
        <source>待機中</source>
        <translation>Idle</translation>
    </message>
    <message>
        <source>文脈</source>
        <translation>Context</translation>
    </message>
    <message>
        <source>文脈の使用量</source>
        <translation>Context used</translation>
    </message>
    <message>
        <source>最初の語まで {s} 秒</source>
        <translation>First token {s} s</translation>
    </message>
    <message>
        <source>準備しています…</source>
        <translation>Getting ready…</translation>
    </message>
    <message>
        <source>評価中：質問用のモデルは休止中</source>
        <translation>Evaluating: the model for questions is resting</translation>
    </message>
    <message>
        <source>読み込みの進み具合</source>
        <translation>Loading progress</translation>
    </message>
    <message>
        <source>質問を読んでいます…</source>
        <translation>Reading the question…</translation>
    </message>
</context>
<context>
    <name>Step</name>
    <message>
        <source>いまの手順</source>
        <translation>Current step</translation>
    </message>
    <message>
        <source>このあと</source>
        <translation>To come</translation>
    </message>
    <message>
        <source>済み</source>
        <translation>Done</translation>
    </message>
</context>
<context>
    <name>StepRail</name>
    <message>
        <source>{i}／{n}&#x3000;{step}</source>
        <translation>{i}/{n}  {step}</translation>
    </message>
</context>
<context>
    <name>StepTable</name>
    <message>
        <source>ステップ</source>
        <translation>Step</translation>
    </message>
    <message>
        <source>メモリ</source>
        <translation>Memory</translation>
    </message>
    <message>
        <source>勾配ノルム</source>
        <translation>Gradient norm</translation>
    </message>
    <message>
        <source>学習の損失</source>
        <translation>Training loss</translation>
    </message>
    <message>
        <source>学習率</source>
        <translation>Learning rate</translation>
    </message>
    <message>
        <source>最良</source>
        <translation>best</translation>
    </message>
    <message>
        <source>検証の損失</source>
        <translation>Validation loss</translation>
    </message>
</context>
<context>
    <name>StepView</name>
    <message>
        <source>損失と測定値の表</source>
        <translation>Table of losses and measurements</translation>
    </message>
</context>
<context>
    <name>Storage</name>
    <message>
        <source>いまは移動できません。</source>
        <translation>It cannot be moved now.</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>コピーして中身を確かめてから、元のファイルを消します。途中で取り消すと、元のまま使えます。別の場所から取り込んだファイルは動きません。</source>
        <translation>Files are copied and checked before the originals are deleted. Cancelled on the way, everything stays as it was. Files imported from other places are not moved.</translation>
    </message>
    <message>
        <source>ダウンロードしています。一時停止してから、移動してください。</source>
        <translation>A download is under way. Pause it first.</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>モデルの保存先を移しました。</source>
        <translation>The models folder was moved.</translation>
    </message>
    <message>
        <source>モデルの保存先を移しますか</source>
        <translation>Move the models folder?</translation>
    </message>
    <message>
        <source>モデルを作っています。終わってから、移動してください。</source>
        <translation>A model is being built. Move the folder when it has ended.</translation>
    </message>
    <message>
        <source>モデルを使っています。回答が終わってから、移動してください。</source>
        <translation>The model is in use. Move the folder when the answer has ended.</translation>
    </message>
    <message>
        <source>モデルを置くフォルダを選ぶ</source>
        <translation>Choose a folder for the models</translation>
    </message>
    <message>
        <source>元のフォルダに、ほかのアプリが使っているファイルが {n} 個残りました。次の起動のときに消します。</source>
        <translation>Files in the old folder that other apps are using: {n}. They are deleted at the next start.</translation>
    </message>
    <message>
        <source>移動…</source>
        <translation>Move…</translation>
    </message>
    <message>
        <source>移動しています</source>
        <translation>Moving</translation>
    </message>
    <message>
        <source>移動する</source>
        <translation>Move</translation>
    </message>
    <message>
        <source>移動先の空き {n} GB。</source>
        <translation>Free there: {n} GB.</translation>
    </message>
    <message>
        <source>空き {n} GB</source>
        <translation>{n} GB free</translation>
    </message>
</context>
<context>
    <name>Strip</name>
    <message>
        <source>→ 使える {n}</source>
        <translation>→ usable {n}</translation>
    </message>
    <message>
        <source>却下 {n}</source>
        <translation>rejected {n}</translation>
    </message>
    <message>
        <source>取り込み {n} 行</source>
        <translation>Imported {n} rows</translation>
    </message>
    <message>
        <source>問題あり {n}</source>
        <translation>with problems {n}</translation>
    </message>
    <message>
        <source>学習 {n}</source>
        <translation>training {n}</translation>
    </message>
    <message>
        <source>未確認 {n}</source>
        <translation>not reviewed {n}</translation>
    </message>
    <message>
        <source>検証 {n}</source>
        <translation>validation {n}</translation>
    </message>
    <message>
        <source>直せない行 {n}</source>
        <translation>unusable {n}</translation>
    </message>
    <message>
        <source>重複 {n}</source>
        <translation>duplicates {n}</translation>
    </message>
</context>
<context>
    <name>StudyView</name>
    <message>
        <source>なし（規則だけで採点）</source>
        <translation>None (scored by rules alone)</translation>
    </message>
    <message>
        <source>一時停止</source>
        <translation>Pause</translation>
    </message>
    <message>
        <source>回答が終わるのを待っています</source>
        <translation>Waiting for an answer to end</translation>
    </message>
    <message>
        <source>採点モデル</source>
        <translation>Judge</translation>
    </message>
    <message>
        <source>比べる構成</source>
        <translation>Settings to compare</translation>
    </message>
    <message>
        <source>準備しています</source>
        <translation>Preparing</translation>
    </message>
    <message>
        <source>種類</source>
        <translation>Kind</translation>
    </message>
    <message>
        <source>終わった学習</source>
        <translation>Trained runs</translation>
    </message>
    <message>
        <source>続ける</source>
        <translation>Continue</translation>
    </message>
    <message>
        <source>資料を意味でも探せるように準備しています</source>
        <translation>Preparing the documents for search by meaning</translation>
    </message>
    <message>
        <source>質問集</source>
        <translation>Question set</translation>
    </message>
</context>
<context>
    <name>SystemRow</name>
    <message>
        <source>完了</source>
        <translation>Done</translation>
    </message>
    <message>
        <source>待機</source>
        <translation>Waiting</translation>
    </message>
    <message>
        <source>未完了</source>
        <translation>Not finished</translation>
    </message>
    <message>
        <source>測定中</source>
        <translation>Measuring</translation>
    </message>
</context>
<context>
    <name>TakeDialog</name>
    <message>
        <source>名前を直してください。</source>
        <translation>Put the name right.</translation>
    </message>
</context>
<context>
    <name>TemporaryTag</name>
    <message>
        <source>一時的な会話（保存しません）</source>
        <translation>Temporary chat (not saved)</translation>
    </message>
</context>
<context>
    <name>TimeLeft</name>
    <message>
        <source>残り {s} 秒</source>
        <translation>{s} s left</translation>
    </message>
    <message>
        <source>残り 約 {h} 時間 {m} 分</source>
        <translation>about {h} h {m} min left</translation>
    </message>
    <message>
        <source>残り 約 {m} 分</source>
        <translation>about {m} min left</translation>
    </message>
</context>
<context>
    <name>TitleField</name>
    <message>
        <source>会話の名前</source>
        <translation>Name of the conversation</translation>
    </message>
</context>
<context>
    <name>Toast</name>
    <message>
        <source>元に戻す</source>
        <translation>Undo</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>TokenDialog</name>
    <message>
        <source>1. ブラウザーで {page} を開き、サインインして使用条件に同意します。</source>
        <translation>1. Open {page} in a browser, sign in and accept the licence.</translation>
    </message>
    <message>
        <source>2. サイトの Settings → Access Tokens で、読み取り（Read）用のトークンを作ります。</source>
        <translation>2. On the site, make a Read token under Settings → Access Tokens.</translation>
    </message>
    <message>
        <source>3. hf_ で始まる文字列を、ここに貼り付けます。</source>
        <translation>3. Paste the text that begins with hf_ here.</translation>
    </message>
    <message>
        <source>OS のパスワード管理に保存する</source>
        <translation>Keep it in the system&apos;s password store</translation>
    </message>
    <message>
        <source>アクセストークンを入れてください</source>
        <translation>Enter an access token</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>使う</source>
        <translation>Use</translation>
    </message>
    <message>
        <source>使用条件に同意した人にだけ配られるモデルがあります。次のようにして受け取ります。</source>
        <translation>Some models are given only to people who have accepted their licence. This is how to get them.</translation>
    </message>
    <message>
        <source>保存しないときは、Kotae を閉じるまで覚えておくだけです。配布元のほかには送りません。</source>
        <translation>Unless you keep it, it is remembered until Kotae is closed. It is sent to the source and to nobody else.</translation>
    </message>
    <message>
        <source>配布元のモデルのページ</source>
        <translation>the model&apos;s page at its source</translation>
    </message>
</context>
<context>
    <name>TokenText</name>
    <message>
        <source>学習する語：{text}</source>
        <translation>Trained: {text}</translation>
    </message>
</context>
<context>
    <name>TokenView</name>
    <message>
        <source>[ ] は会話の区切りの記号</source>
        <translation>[ ] marks of the conversation</translation>
    </message>
    <message>
        <source>例 {i}／{n}</source>
        <translation>Example {i} of {n}</translation>
    </message>
    <message>
        <source>全部で {n} トークン</source>
        <translation>{n} tokens in all</translation>
    </message>
    <message>
        <source>前の例</source>
        <translation>Previous example</translation>
    </message>
    <message>
        <source>学習する語</source>
        <translation>Trained tokens</translation>
    </message>
    <message>
        <source>学習する語 {n} トークン</source>
        <translation>{n} trained</translation>
    </message>
    <message>
        <source>次の例</source>
        <translation>Next example</translation>
    </message>
    <message>
        <source>読むだけの語</source>
        <translation>Read only</translation>
    </message>
</context>
<context>
    <name>Traffic</name>
    <message>
        <source>{n} 件</source>
        <translation>{n}</translation>
    </message>
    <message>
        <source>{title} の取得、{time}、あなたの操作</source>
        <translation>download of {title}, {time}, started by you</translation>
    </message>
    <message>
        <source>{title} への質問の送信、{time}、あなたの操作</source>
        <translation>Question sent to {title}, {time}, your action</translation>
    </message>
    <message>
        <source>なし</source>
        <translation>None</translation>
    </message>
    <message>
        <source>モデルの取得</source>
        <translation>Model download</translation>
    </message>
    <message>
        <source>外部通信</source>
        <translation>Network</translation>
    </message>
    <message>
        <source>学習環境の取得</source>
        <translation>Fetching the training environment</translation>
    </message>
    <message>
        <source>学習環境の部品の取得、{time}、あなたの操作</source>
        <translation>Parts of the training environment, {time}, started by you</translation>
    </message>
    <message>
        <source>押すと、送信されないことを確かめられます</source>
        <translation>Press to check that nothing is sent</translation>
    </message>
    <message>
        <source>質問の送信</source>
        <translation>Sending a question</translation>
    </message>
    <message>
        <source>起動後 {n} 件</source>
        <translation>{n} so far</translation>
    </message>
</context>
<context>
    <name>Training</name>
    <message>
        <source>CPU 用</source>
        <translation>For CPUs</translation>
    </message>
    <message>
        <source>GPU 用（CUDA）</source>
        <translation>For GPUs (CUDA)</translation>
    </message>
    <message>
        <source>Python を取得しています</source>
        <translation>Fetching Python</translation>
    </message>
    <message>
        <source>▲ この部品は、この PC の GPU を使いません。学習は CPU になります。</source>
        <translation>▲ These parts do not use the GPU of this PC: training will run on the CPU.</translation>
    </message>
    <message>
        <source>データ</source>
        <translation>Data</translation>
    </message>
    <message>
        <source>モデルと設定</source>
        <translation>Model and settings</translation>
    </message>
    <message>
        <source>一時停止</source>
        <translation>Paused</translation>
    </message>
    <message>
        <source>下書き：{step}</source>
        <translation>Draft: {step}</translation>
    </message>
    <message>
        <source>不採用</source>
        <translation>Do not adopt</translation>
    </message>
    <message>
        <source>両方</source>
        <translation>Both</translation>
    </message>
    <message>
        <source>中止</source>
        <translation>Aborted</translation>
    </message>
    <message>
        <source>元のモデルに戻しました。</source>
        <translation>Back to the base model.</translation>
    </message>
    <message>
        <source>判定中</source>
        <translation>Being judged</translation>
    </message>
    <message>
        <source>別の PC で学習</source>
        <translation>Trained on another PC</translation>
    </message>
    <message>
        <source>名前のない学習</source>
        <translation>Unnamed training</translation>
    </message>
    <message>
        <source>失敗</source>
        <translation>Failed</translation>
    </message>
    <message>
        <source>学習</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>学習が向いています</source>
        <translation>Fine-tuning suits this</translation>
    </message>
    <message>
        <source>学習中</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>学習環境が動くか確かめています</source>
        <translation>Checking that the training environment works</translation>
    </message>
    <message>
        <source>学習環境の Python を用意しています</source>
        <translation>Preparing Python for the training environment</translation>
    </message>
    <message>
        <source>学習環境の部品を取り付けています</source>
        <translation>Installing the parts of the training environment</translation>
    </message>
    <message>
        <source>学習環境の部品を集めています：{package}</source>
        <translation>Collecting the parts of the training environment: {package}</translation>
    </message>
    <message>
        <source>学習環境を作る準備をしています</source>
        <translation>Getting ready to make the training environment</translation>
    </message>
    <message>
        <source>学習環境キットを書き出しています</source>
        <translation>Writing the training environment kit</translation>
    </message>
    <message>
        <source>完了（未判定）</source>
        <translation>Finished, not judged</translation>
    </message>
    <message>
        <source>採用</source>
        <translation>Adopt</translation>
    </message>
    <message>
        <source>文体、書式、用語をそろえたい</source>
        <translation>Unify style, format and terms</translation>
    </message>
    <message>
        <source>新しい事実を答えさせたい</source>
        <translation>Answer new facts</translation>
    </message>
    <message>
        <source>残り{time}</source>
        <translation>{time} left</translation>
    </message>
    <message>
        <source>目的</source>
        <translation>Goal</translation>
    </message>
    <message>
        <source>確認</source>
        <translation>Check</translation>
    </message>
    <message>
        <source>結果</source>
        <translation>Result</translation>
    </message>
    <message>
        <source>要確認</source>
        <translation>Needs review</translation>
    </message>
    <message>
        <source>読めません</source>
        <translation>Unreadable</translation>
    </message>
    <message>
        <source>資料と学習を組み合わせます</source>
        <translation>Combine documents and tuning</translation>
    </message>
    <message>
        <source>資料に追加するのが確実です</source>
        <translation>Adding documents is the reliable way</translation>
    </message>
    <message>
        <source>途中で止まりました</source>
        <translation>Stopped midway</translation>
    </message>
    <message>
        <source>開始前</source>
        <translation>Not started</translation>
    </message>
</context>
<context>
    <name>TrainingCheck</name>
    <message>
        <source>f16 では計算があふれて壊れます。「土台の精度」を 4 ビットか bf16 にしてください。</source>
        <translation>Numbers overflow in f16, and the run breaks. Set &quot;Base precision&quot; to 4 bits or bf16.</translation>
    </message>
    <message>
        <source>f16 では計算があふれることがあります。できれば「土台の精度」を 4 ビットにしてください。</source>
        <translation>Numbers may overflow in f16. Set &quot;Base precision&quot; to 4 bits if you can.</translation>
    </message>
    <message>
        <source>{file} の {count} 行が {context_tokens} トークンを超えています（最長 {longest}）。行を短くするか、詳しい設定の「長すぎる例」で扱いを選んでください。</source>
        <translation>{count} rows of the {file} are longer than {context_tokens} tokens (the longest has {longest}). Shorten them, or choose under &quot;Overlong examples&quot; what becomes of them.</translation>
    </message>
    <message>
        <source>この PC</source>
        <translation>This PC</translation>
    </message>
    <message>
        <source>この PC では、スリープを止められません。OS の設定で、スリープしないようにしてください。</source>
        <translation>This PC cannot be kept awake from here. Turn sleep off in the system settings.</translation>
    </message>
    <message>
        <source>このモデルの文章の区切り方は、変換プログラムが知らないものかもしれません。先に「モデルを作る」で変換できるか試してください。</source>
        <translation>The converter may not know how this model splits texts. Try first whether it can be built under Models.</translation>
    </message>
    <message>
        <source>この土台は、まだ学習用に変換していません。3 ステップ試すと、変換してから調べます。</source>
        <translation>This base is not converted for training yet. A 3-step trial converts it, then looks.</translation>
    </message>
    <message>
        <source>スリープ</source>
        <translation>Sleep</translation>
    </message>
    <message>
        <source>データ</source>
        <translation>Data</translation>
    </message>
    <message>
        <source>データの控えがありません。データを分け直してください。</source>
        <translation>There is no record of the data. Split the data again.</translation>
    </message>
    <message>
        <source>データへ戻る</source>
        <translation>Back to Data</translation>
    </message>
    <message>
        <source>会話の形式</source>
        <translation>Chat format</translation>
    </message>
    <message>
        <source>会話の形式は土台のモデルと合い、答えの終わりまで学びます。</source>
        <translation>The chat format fits the base model, and answers are learned to their end.</translation>
    </message>
    <message>
        <source>参考</source>
        <translation>Note</translation>
    </message>
    <message>
        <source>問題なし</source>
        <translation>Fine</translation>
    </message>
    <message>
        <source>土台のモデル</source>
        <translation>Base model</translation>
    </message>
    <message>
        <source>始められません</source>
        <translation>Cannot start</translation>
    </message>
    <message>
        <source>学習 {n} 件</source>
        <translation>{n} for training</translation>
    </message>
    <message>
        <source>学習を動かす環境が、まだありません。時間とメモリだけ見積もりました。</source>
        <translation>There is no training environment yet. Only time and memory were estimated.</translation>
    </message>
    <message>
        <source>学習中は、PC が自動でスリープしないようにします。ノート PC のふたは開けておいてください。</source>
        <translation>The PC is kept awake while it trains. Leave the lid of a laptop open.</translation>
    </message>
    <message>
        <source>学習環境</source>
        <translation>Training environment</translation>
    </message>
    <message>
        <source>学習環境を作る</source>
        <translation>Make the training environment</translation>
    </message>
    <message>
        <source>学習用データ</source>
        <translation>training data</translation>
    </message>
    <message>
        <source>検証 {n} 件</source>
        <translation>{n} for validation</translation>
    </message>
    <message>
        <source>検証用の {count} 行が、学習用の行とまったく同じです（{lines} 行目など）。覚えすぎに気づきにくくなるので、どちらかから除いてください。</source>
        <translation>{count} rows for validation are the same as rows for training (line {lines} and others). Overfitting would go unnoticed; remove them from one of both.</translation>
    </message>
    <message>
        <source>検証用の行がないので、いちばん良い時点を選べません。行を増やすか、「1 周の検証回数」を 0 にしてください。</source>
        <translation>Without validation rows the best moment cannot be chosen. Add rows, or set &quot;Checks per epoch&quot; to 0.</translation>
    </message>
    <message>
        <source>検証用データ</source>
        <translation>validation data</translation>
    </message>
    <message>
        <source>注意</source>
        <translation>Note</translation>
    </message>
    <message>
        <source>設定へ戻る</source>
        <translation>Back to the settings</translation>
    </message>
    <message>
        <source>試験 {n} 件（学習に使いません）</source>
        <translation>{n} for the test (never trained on)</translation>
    </message>
    <message>
        <source>試験用の {count} 行が、学習用か検証用の行とまったく同じです（{lines} 行目など）。正しく評価できないので、どちらかから除いてください。</source>
        <translation>{count} test rows are the same as rows for training or validation (line {lines} and others). They cannot be judged by; remove them from one of both.</translation>
    </message>
    <message>
        <source>試験用の {count} 行を、元にしたアダプターがすでに学習しています（{lines} 行目など）。正しく評価できないので、データを分け直してください。</source>
        <translation>The adapter that is gone on from has learned {count} test rows already (line {lines} and others). They cannot be judged by; split the data again.</translation>
    </message>
    <message>
        <source>試験用データ</source>
        <translation>test data</translation>
    </message>
    <message>
        <source>選んだ設定のとおり、答えだけでなく質問も学びます（詳しい設定の「学習する範囲」）。</source>
        <translation>As chosen, questions are learned as well as answers (&quot;What is learned&quot; in the details).</translation>
    </message>
</context>
<context>
    <name>TrainingData</name>
    <message>
        <source>「{text}」</source>
        <translation>&quot;{text}&quot;</translation>
    </message>
    <message>
        <source>ふだんの言葉</source>
        <translation>Everyday words</translation>
    </message>
    <message>
        <source>ほとんど同じ行</source>
        <translation>Nearly the same rows</translation>
    </message>
    <message>
        <source>まだ決めていない行</source>
        <translation>Not decided yet</translation>
    </message>
    <message>
        <source>もとの行は {n} 行目です。</source>
        <translation>The earlier row is row {n}.</translation>
    </message>
    <message>
        <source>グループ</source>
        <translation>Group</translation>
    </message>
    <message>
        <source>システム</source>
        <translation>System</translation>
    </message>
    <message>
        <source>シート「{name}」</source>
        <translation>Sheet &quot;{name}&quot;</translation>
    </message>
    <message>
        <source>モデルに尋ねる文です。</source>
        <translation>What the model is asked.</translation>
    </message>
    <message>
        <source>モデルに覚えさせる文です。</source>
        <translation>What the model is to learn.</translation>
    </message>
    <message>
        <source>会話の前に渡す指示です。</source>
        <translation>Instructions before the conversation.</translation>
    </message>
    <message>
        <source>列挙</source>
        <translation>Lists</translation>
    </message>
    <message>
        <source>参考</source>
        <translation>Input</translation>
    </message>
    <message>
        <source>同じグループの行は、学習用と試験用に分かれません。</source>
        <translation>Rows of one group are never split between training and test.</translation>
    </message>
    <message>
        <source>同じ質問に別の回答</source>
        <translation>Same question, other answer</translation>
    </message>
    <message>
        <source>問題のある行すべて</source>
        <translation>All rows with problems</translation>
    </message>
    <message>
        <source>回答</source>
        <translation>Answer</translation>
    </message>
    <message>
        <source>定義</source>
        <translation>Definitions</translation>
    </message>
    <message>
        <source>手順</source>
        <translation>Procedures</translation>
    </message>
    <message>
        <source>数値</source>
        <translation>Numbers</translation>
    </message>
    <message>
        <source>文字コード {name}</source>
        <translation>Encoding {name}</translation>
    </message>
    <message>
        <source>検索語</source>
        <translation>Search words</translation>
    </message>
    <message>
        <source>比較</source>
        <translation>Comparisons</translation>
    </message>
    <message>
        <source>直せない行</source>
        <translation>Unusable rows</translation>
    </message>
    <message>
        <source>言い換え</source>
        <translation>Paraphrases</translation>
    </message>
    <message>
        <source>資料にない質問</source>
        <translation>Not in the documents</translation>
    </message>
    <message>
        <source>質問</source>
        <translation>Question</translation>
    </message>
    <message>
        <source>質問の後に続けて渡す文です。</source>
        <translation>Text given after the question.</translation>
    </message>
    <message>
        <source>重複</source>
        <translation>Duplicates</translation>
    </message>
</context>
<context>
    <name>TrainingModel</name>
    <message>
        <source> トークン</source>
        <translation> tokens</translation>
    </message>
    <message>
        <source> 件</source>
        <translation> examples</translation>
    </message>
    <message>
        <source> 周</source>
        <translation> epochs</translation>
    </message>
    <message>
        <source> 回</source>
        <translation> times</translation>
    </message>
    <message>
        <source>1 ステップで動かす大きさです。大きすぎると壊れ、小さすぎると身につきません。</source>
        <translation>How far each step moves. Too far breaks the model, too little teaches nothing.</translation>
    </message>
    <message>
        <source>1 ステップの計算回数</source>
        <translation>Passes per step</translation>
    </message>
    <message>
        <source>1 周の検証回数</source>
        <translation>Checks per epoch</translation>
    </message>
    <message>
        <source>16 ビット（bf16）</source>
        <translation>16 bits (bf16)</translation>
    </message>
    <message>
        <source>16 ビット（f16）</source>
        <translation>16 bits (f16)</translation>
    </message>
    <message>
        <source>32 ビット（f32）</source>
        <translation>32 bits (f32)</translation>
    </message>
    <message>
        <source>4 ビット（nf4）</source>
        <translation>4 bits (nf4)</translation>
    </message>
    <message>
        <source>GPU メモリ</source>
        <translation>GPU memory</translation>
    </message>
    <message>
        <source>LoRA の alpha</source>
        <translation>LoRA alpha</translation>
    </message>
    <message>
        <source>LoRA のランク</source>
        <translation>LoRA rank</translation>
    </message>
    <message>
        <source>{name}：{value}</source>
        <translation>{name}: {value}</translation>
    </message>
    <message>
        <source>、</source>
        <translation>, </translation>
    </message>
    <message>
        <source>しない</source>
        <translation>No</translation>
    </message>
    <message>
        <source>する</source>
        <translation>Yes</translation>
    </message>
    <message>
        <source>その例を使わない</source>
        <translation>Leave them out</translation>
    </message>
    <message>
        <source>たいていのデータは、これで足ります。</source>
        <translation>Enough for most data.</translation>
    </message>
    <message>
        <source>どの語を覚えるかです。ふつうは、質問は読むだけにして、答えを学びます。</source>
        <translation>Which words are learned. Usually questions are only read, and answers are learned.</translation>
    </message>
    <message>
        <source>まとめて計算する例の数です。減らすと、必要なメモリが減って時間が延びます。</source>
        <translation>How many examples are computed together. Fewer need less memory and more time.</translation>
    </message>
    <message>
        <source>わざと一部を休ませながら学び、丸暗記を防ぎます。データが少ないときに効きます。</source>
        <translation>Parts pause at random while learning, against learning by heart. It helps with few data.</translation>
    </message>
    <message>
        <source>データに効き目があるかを、短い時間で確かめます。</source>
        <translation>Shows in a short time whether the data do any good.</translation>
    </message>
    <message>
        <source>データを 1 周する間に、検証用のデータで確かめる回数です。0 にすると、いちばん良い時点を選べません。</source>
        <translation>How often the validation data are asked in one pass over the data. With 0, the best moment cannot be chosen.</translation>
    </message>
    <message>
        <source>ドロップアウト</source>
        <translation>Dropout</translation>
    </message>
    <message>
        <source>メモリ</source>
        <translation>Memory</translation>
    </message>
    <message>
        <source>一度に計算する例</source>
        <translation>Examples at once</translation>
    </message>
    <message>
        <source>上限より長い例をどうするかです。どれを選んでも、答えが途中で切れることはありません。</source>
        <translation>What becomes of examples over the limit. Whatever you choose, no answer is cut.</translation>
    </message>
    <message>
        <source>乱数の種</source>
        <translation>Seed</translation>
    </message>
    <message>
        <source>会話の区切りで分ける</source>
        <translation>Split at turns</translation>
    </message>
    <message>
        <source>何回分の計算で 1 ステップ進むかです。一度に計算する例を半分にしたら、こちらを倍にします。</source>
        <translation>How many computations make one step. Double it when you halve the examples at once.</translation>
    </message>
    <message>
        <source>例の並べ方などを決める番号です。同じ番号なら、同じ学習を繰り返せます。</source>
        <translation>A number that decides the order of examples and the like. The same number repeats the same training.</translation>
    </message>
    <message>
        <source>例の長さの上限</source>
        <translation>Longest example</translation>
    </message>
    <message>
        <source>同じデータを何周まで学ぶかです。良くならなくなれば、その前に終わります。</source>
        <translation>How often the same data are gone through at most. It ends earlier when nothing gets better.</translation>
    </message>
    <message>
        <source>周回数の上限</source>
        <translation>Epochs at most</translation>
    </message>
    <message>
        <source>土台のモデルを何ビットで読み込むかです。4 ビットなら、メモリが少なくて済みます。</source>
        <translation>How many bits the base model is loaded with. Four bits need little memory.</translation>
    </message>
    <message>
        <source>土台の精度</source>
        <translation>Base precision</translation>
    </message>
    <message>
        <source>大きめの設定で、時間をかけて繰り返し学びます。</source>
        <translation>Larger settings, and more passes over the data.</translation>
    </message>
    <message>
        <source>学習した分をどれだけ強く効かせるかです。ランクを変えるときも、そのままで構いません。</source>
        <translation>How strongly what was learned counts. It can stay as it is, also with another rank.</translation>
    </message>
    <message>
        <source>学習する範囲</source>
        <translation>What is learned</translation>
    </message>
    <message>
        <source>学習で書き足す部分の大きさです。大きいほど多くを覚えられますが、データが少ないと丸暗記になります。</source>
        <translation>The size of what training adds. A larger one can hold more, but learns few data by heart.</translation>
    </message>
    <message>
        <source>学習に使う例の長さの上限です。1 トークンはおよそ 1〜2 文字で、長いほどメモリが要ります。</source>
        <translation>The longest example that is learned. A token is one or two Japanese letters; longer examples need more memory.</translation>
    </message>
    <message>
        <source>学習の途中で試しに答えさせる質問です。1 行に 1 つ書きます。空なら、検証用のデータから 2 つ選びます。</source>
        <translation>Questions answered on the way as samples, one a line. Left empty, two of the validation data are taken.</translation>
    </message>
    <message>
        <source>学習を始めない</source>
        <translation>Do not start</translation>
    </message>
    <message>
        <source>学習率</source>
        <translation>Learning rate</translation>
    </message>
    <message>
        <source>検証の結果が続けてこの回数だけ良くならなければ、そこで終えます。</source>
        <translation>Training ends after so many checks in a row without improvement.</translation>
    </message>
    <message>
        <source>答えだけ</source>
        <translation>Answers only</translation>
    </message>
    <message>
        <source>約 {n} 分</source>
        <translation>about {n} min</translation>
    </message>
    <message>
        <source>約 {n} 日</source>
        <translation>about {n} days</translation>
    </message>
    <message>
        <source>約 {n} 時間</source>
        <translation>about {n} h</translation>
    </message>
    <message>
        <source>見切る回数</source>
        <translation>Patience</translation>
    </message>
    <message>
        <source>試しの質問</source>
        <translation>Sample questions</translation>
    </message>
    <message>
        <source>論文の学習をそのまま繰り返すための設定です。答えだけでなく、質問の文も学びます。</source>
        <translation>For repeating the paper&apos;s training as it was. Questions are learned as well as answers.</translation>
    </message>
    <message>
        <source>質問と答え</source>
        <translation>Questions and answers</translation>
    </message>
    <message>
        <source>途中の値の再計算</source>
        <translation>Recompute values</translation>
    </message>
    <message>
        <source>途中の値を取っておかず、要るときに計算し直します。メモリが減り、時間が延びます。</source>
        <translation>Values in between are computed again instead of kept. It needs less memory and more time.</translation>
    </message>
    <message>
        <source>長すぎる例</source>
        <translation>Overlong examples</translation>
    </message>
</context>
<context>
    <name>TrainingPage</name>
    <message>
        <source>一覧</source>
        <translation>List</translation>
    </message>
    <message>
        <source>下書きは自動で保存されます</source>
        <translation>The draft is saved automatically</translation>
    </message>
    <message>
        <source>名前やメモで探す</source>
        <translation>Find by name or note</translation>
    </message>
    <message>
        <source>学習</source>
        <translation>Fine-tuning</translation>
    </message>
    <message>
        <source>新しい学習</source>
        <translation>New run</translation>
    </message>
</context>
<context>
    <name>TrainingPanel</name>
    <message>
        <source>Kotae が作ったものではありません</source>
        <translation>Not made by Kotae</translation>
    </message>
    <message>
        <source>{size} 空きます。モデルと会話はそのままです。変換や学習には、もう一度作る必要があります。</source>
        <translation>Frees {size}. Models and conversations stay. To convert or fine-tune, it has to be made again.</translation>
    </message>
    <message>
        <source>▲ 使えますが、この版の Kotae が使う部品とは違います。作り直すと揃います。</source>
        <translation>▲ It works, but its parts differ from those this version of Kotae uses. Making it again brings them up to date.</translation>
    </message>
    <message>
        <source>▲ 使えません（{reason}）。作り直してください。</source>
        <translation>▲ It does not work ({reason}). Make it again.</translation>
    </message>
    <message>
        <source>✓ 使えます。</source>
        <translation>✓ It works.</translation>
    </message>
    <message>
        <source>いま、学習環境を使っています。</source>
        <translation>The training environment is in use now.</translation>
    </message>
    <message>
        <source>いまのものは「ひとつ前」として残るので、あとでまた入れ替えられます。</source>
        <translation>The one in use is kept as the one before, so you can change back later.</translation>
    </message>
    <message>
        <source>ひとつ前に戻す…</source>
        <translation>Go back to the one before…</translation>
    </message>
    <message>
        <source>ひとつ前の学習環境に戻しますか</source>
        <translation>Go back to the environment from before?</translation>
    </message>
    <message>
        <source>ひとつ前の学習環境も残してあります（{size}）。</source>
        <translation>The environment from before is kept, too ({size}).</translation>
    </message>
    <message>
        <source>まだありません。</source>
        <translation>There is none yet.</translation>
    </message>
    <message>
        <source>オフラインで作る…</source>
        <translation>Make it offline…</translation>
    </message>
    <message>
        <source>キャンセル</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open folder</translation>
    </message>
    <message>
        <source>作り直す</source>
        <translation>Make it again</translation>
    </message>
    <message>
        <source>削除…</source>
        <translation>Delete…</translation>
    </message>
    <message>
        <source>削除する</source>
        <translation>Delete</translation>
    </message>
    <message>
        <source>学習環境を作る</source>
        <translation>Make the training environment</translation>
    </message>
    <message>
        <source>学習環境を削除しますか</source>
        <translation>Delete the training environment?</translation>
    </message>
    <message>
        <source>戻す</source>
        <translation>Go back</translation>
    </message>
    <message>
        <source>持ち運び用のキットを作る…</source>
        <translation>Make a kit to carry…</translation>
    </message>
    <message>
        <source>終わってから、もう一度選んでください。</source>
        <translation>Choose this again when it has finished.</translation>
    </message>
    <message>
        <source>調べています…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>途中まで取得した部品が {size} あります。もう一度作ると、続きから始まります。</source>
        <translation>{size} of parts are already here. Making it again goes on from there.</translation>
    </message>
</context>
<context>
    <name>TrainingRun</name>
    <message>
        <source>1 分以内</source>
        <translation>under 1 min</translation>
    </message>
    <message>
        <source>PC のスリープ</source>
        <translation>Sleep</translation>
    </message>
    <message>
        <source>{a}／{b} 周</source>
        <translation>{a}/{b} epochs</translation>
    </message>
    <message>
        <source>{h} 時間 {m} 分</source>
        <translation>{h} h {m} min</translation>
    </message>
    <message>
        <source>{m} 分 {s} 秒</source>
        <translation>{m} min {s} s</translation>
    </message>
    <message>
        <source>{n} 回。学習率を半分にして再開</source>
        <translation>{n} times; resumed with half the rate</translation>
    </message>
    <message>
        <source>{n} 回続けて悪化</source>
        <translation>Rose {n} times in a row</translation>
    </message>
    <message>
        <source>{s} 秒</source>
        <translation>{s} s</translation>
    </message>
    <message>
        <source>{words}（差&#xa0;{gap}）</source>
        <translation>{words} (gap&#xa0;{gap})</translation>
    </message>
    <message>
        <source>「確認」で見つかったことを直して、新しい学習を始めてください。</source>
        <translation>Mend what the step Check has found, and start a new run.</translation>
    </message>
    <message>
        <source>「続ける」で、最初から学習します。</source>
        <translation>Resume starts it from the beginning.</translation>
    </message>
    <message>
        <source>いまの処理が区切りに来たら終わります。1 ステップに数分かかることもあります。</source>
        <translation>It ends as soon as what it is doing is done. A step may take minutes.</translation>
    </message>
    <message>
        <source>なし</source>
        <translation>None</translation>
    </message>
    <message>
        <source>ほかのアプリを閉じてください。</source>
        <translation>Close other programs.</translation>
    </message>
    <message>
        <source>まだありません</source>
        <translation>None yet</translation>
    </message>
    <message>
        <source>まだ始まっていません。</source>
        <translation>It has not started yet.</translation>
    </message>
    <message>
        <source>まだ途中結果が保存されていません。あとで最初からやり直せます。</source>
        <translation>Nothing is saved yet. You can start over later.</translation>
    </message>
    <message>
        <source>ステップ {n} で一時停止しています。「続ける」で、そこから学習します。</source>
        <translation>Paused at step {n}; Resume goes on from there.</translation>
    </message>
    <message>
        <source>ステップ {n} までの途中結果は残り、あとで続きから再開できます。</source>
        <translation>Progress up to step {n} is kept and can be resumed.</translation>
    </message>
    <message>
        <source>ステップ {n} までは保存済みです。「続ける」で、そこから再開します。</source>
        <translation>All up to step {n} is saved; Resume goes on from there.</translation>
    </message>
    <message>
        <source>ステップ {s}</source>
        <translation>Step {s}</translation>
    </message>
    <message>
        <source>ステップ {s} から急に低下</source>
        <translation>Much slower since step {s}</translation>
    </message>
    <message>
        <source>ステップ {s} で発散</source>
        <translation>Diverged at step {s}</translation>
    </message>
    <message>
        <source>ターミナルなど、この画面の外で動いている学習です。</source>
        <translation>This run goes on outside this window, in a terminal for example.</translation>
    </message>
    <message>
        <source>チェックポイント</source>
        <translation>Checkpoint</translation>
    </message>
    <message>
        <source>メモリ不足</source>
        <translation>Not enough memory</translation>
    </message>
    <message>
        <source>モデルを元の場所に戻してください。</source>
        <translation>Put the model back where it was.</translation>
    </message>
    <message>
        <source>一度に計算する数を {n} に減らして継続</source>
        <translation>Going on with {n} at once</translation>
    </message>
    <message>
        <source>一時停止</source>
        <translation>Paused</translation>
    </message>
    <message>
        <source>不要なファイルを消してください。</source>
        <translation>Delete files that you do not need.</translation>
    </message>
    <message>
        <source>中断</source>
        <translation>Broken off</translation>
    </message>
    <message>
        <source>中止</source>
        <translation>Aborted</translation>
    </message>
    <message>
        <source>中止した学習です。</source>
        <translation>This run was aborted.</translation>
    </message>
    <message>
        <source>使いません</source>
        <translation>Not used</translation>
    </message>
    <message>
        <source>保存中</source>
        <translation>Saving</translation>
    </message>
    <message>
        <source>別の PC で学習するために書き出した学習です。</source>
        <translation>This run was exported to be trained on another PC.</translation>
    </message>
    <message>
        <source>取り分けたデータで、学習の結果を評価しています。</source>
        <translation>The result is being judged with the rows kept back.</translation>
    </message>
    <message>
        <source>失敗</source>
        <translation>Failed</translation>
    </message>
    <message>
        <source>学習の処理が、いま保存して終わるところです。終わると「続ける」を押せます。</source>
        <translation>The training process is saving and about to end. You can resume when it has.</translation>
    </message>
    <message>
        <source>学習の処理が途中で止まりました。</source>
        <translation>The training process stopped on the way.</translation>
    </message>
    <message>
        <source>学習の処理を起動しています</source>
        <translation>Starting the training process</translation>
    </message>
    <message>
        <source>学習データを元の場所に戻してください。</source>
        <translation>Put the training data back where they were.</translation>
    </message>
    <message>
        <source>学習中</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>学習中は抑止</source>
        <translation>Prevented while training</translation>
    </message>
    <message>
        <source>学習率を小さくして、新しい学習を始めてください。</source>
        <translation>Start a new run with a smaller learning rate.</translation>
    </message>
    <message>
        <source>完了</source>
        <translation>Finished</translation>
    </message>
    <message>
        <source>抑止していません</source>
        <translation>Not kept awake</translation>
    </message>
    <message>
        <source>抑止できません</source>
        <translation>Cannot be prevented</translation>
    </message>
    <message>
        <source>改善なし {n}／{m} 回</source>
        <translation>No improvement {n}/{m}</translation>
    </message>
    <message>
        <source>数値の異常（NaN）</source>
        <translation>Invalid numbers (NaN)</translation>
    </message>
    <message>
        <source>新しい学習を始めてください。</source>
        <translation>Start a new run.</translation>
    </message>
    <message>
        <source>早期終了</source>
        <translation>Early stopping</translation>
    </message>
    <message>
        <source>書き出し済み</source>
        <translation>Exported</translation>
    </message>
    <message>
        <source>検証の損失が {n} 回続けて悪化しました。最良（ステップ {s}）で終えられます。</source>
        <translation>Validation loss rose {n} times in a row. You can finish with the best (step {s}).</translation>
    </message>
    <message>
        <source>止めるには、そちらで Ctrl+C を押してください。</source>
        <translation>To stop it, press Ctrl+C there.</translation>
    </message>
    <message>
        <source>照合済み</source>
        <translation>verified</translation>
    </message>
    <message>
        <source>約 {h} 時間 {m} 分</source>
        <translation>about {h} h {m} min</translation>
    </message>
    <message>
        <source>約 {m} 分</source>
        <translation>about {m} min</translation>
    </message>
    <message>
        <source>終了</source>
        <translation>ended</translation>
    </message>
    <message>
        <source>評価が残っています。「続ける」で評価します。</source>
        <translation>It has not been judged yet; Resume does that.</translation>
    </message>
    <message>
        <source>評価中</source>
        <translation>Being judged</translation>
    </message>
    <message>
        <source>速さ</source>
        <translation>Speed</translation>
    </message>
    <message>
        <source>過学習の兆し</source>
        <translation>Overfitting</translation>
    </message>
    <message>
        <source>開始前</source>
        <translation>Not started</translation>
    </message>
</context>
<context>
    <name>TrainingSection</name>
    <message>
        <source>モデルの変換と学習は、torch などを入れた別の Python で行います。質問に答えるだけなら要りません。通信できない PC では、ほかの PC で作った学習環境キット（USB メモリなどのフォルダ）から作れます。入れる場所は作るときに選べます。別のドライブへ移すには、「作り直す」で場所を選びます。</source>
        <translation>Models are converted and trained with a Python of its own that has torch. It is not needed for answering questions. On a PC without a network it can be made from a training environment kit (a folder, such as on a memory stick) that another PC has made. You choose its place when it is made. To move it to another drive, choose the place under &quot;Make it anew&quot;.</translation>
    </message>
    <message>
        <source>学習環境</source>
        <translation>Training environment</translation>
    </message>
</context>
<context>
    <name>Transcript</name>
    <message>
        <source>会話</source>
        <translation>Conversation</translation>
    </message>
    <message>
        <source>回答が終わりました</source>
        <translation>Answer finished</translation>
    </message>
    <message>
        <source>回答を始めました</source>
        <translation>Answer started</translation>
    </message>
</context>
<context>
    <name>TransferDesk</name>
    <message>
        <source>Kotae で書き出した会話 (*.json);;すべてのファイル (*)</source>
        <translation>Conversations exported by Kotae (*.json);;All files (*)</translation>
    </message>
    <message>
        <source>Kotae の会話 {date}</source>
        <translation>Kotae conversations {date}</translation>
    </message>
    <message>
        <source>Kotae-会話-{time}</source>
        <translation>Kotae-conversation-{time}</translation>
    </message>
    <message>
        <source>Kotae-回答-{time}</source>
        <translation>Kotae-answer-{time}</translation>
    </message>
    <message>
        <source>Word 文書 (*.docx)</source>
        <translation>Word documents (*.docx)</translation>
    </message>
    <message>
        <source>{n} 個のファイルに書き出しました。</source>
        <translation>Exported to {n} files.</translation>
    </message>
    <message>
        <source>この会話「{title}」</source>
        <translation>This conversation: &quot;{title}&quot;</translation>
    </message>
    <message>
        <source>すべての会話（{n} 件、ごみ箱を除く）</source>
        <translation>All conversations ({n}, without the bin)</translation>
    </message>
    <message>
        <source>ほかの書き出しか取り込みを続けています。</source>
        <translation>Another export or import is still running.</translation>
    </message>
    <message>
        <source>フォルダを開く</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>会話の書き出しか取り込みができませんでした</source>
        <translation>Conversations could not be exported or imported</translation>
    </message>
    <message>
        <source>会話を取り込みました</source>
        <translation>Conversations imported</translation>
    </message>
    <message>
        <source>会話を取り込んでいます：{name}</source>
        <translation>Importing conversations: {name}</translation>
    </message>
    <message>
        <source>会話を書き出しています</source>
        <translation>Exporting conversations</translation>
    </message>
    <message>
        <source>会話を書き出しました</source>
        <translation>Conversations exported</translation>
    </message>
    <message>
        <source>取り込むファイルを選ぶ</source>
        <translation>Choose a file to import</translation>
    </message>
    <message>
        <source>取り込めなかった会話</source>
        <translation>Conversations that were not imported</translation>
    </message>
    <message>
        <source>名前を付けて書き出す</source>
        <translation>Export as</translation>
    </message>
    <message>
        <source>回答</source>
        <translation>Answer</translation>
    </message>
    <message>
        <source>回答を書き出しています</source>
        <translation>Exporting the answer</translation>
    </message>
    <message>
        <source>書き出しました。</source>
        <translation>Exported.</translation>
    </message>
    <message>
        <source>書き出し先のフォルダを選ぶ</source>
        <translation>Choose a folder to export to</translation>
    </message>
    <message>
        <source>書き出す会話がまだありません。</source>
        <translation>There are no conversations to export yet.</translation>
    </message>
    <message>
        <source>終わってから、もう一度選んでください。</source>
        <translation>Choose again when it has finished.</translation>
    </message>
    <message>
        <source>選んだ {n} 件の会話</source>
        <translation>{n} selected conversations</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>TrialNotice</name>
    <message>
        <source>お試し用の小さなモデルです。業務には 8B 以上をお使いください。</source>
        <translation>This is a small trial model. Use 8B or larger for work.</translation>
    </message>
    <message>
        <source>モデルを選ぶ</source>
        <translation>Choose a model</translation>
    </message>
</context>
<context>
    <name>Trouble</name>
    <message>
        <source>会話が文脈の上限に達しました。</source>
        <translation>The conversation has reached the context limit.</translation>
    </message>
    <message>
        <source>必要 {a}、上限 {b} トークン。会話は何も失われていません。</source>
        <translation>It needs {a} of at most {b} tokens. Nothing of the conversation is lost.</translation>
    </message>
</context>
<context>
    <name>TryingCard</name>
    <message>
        <source>0 は元のモデルのまま、1 は学習したとおりです。</source>
        <translation>0 is the base as it is, 1 is as trained.</translation>
    </message>
    <message>
        <source>{s} 秒</source>
        <translation>{s} s</translation>
    </message>
    <message>
        <source>ここで停止しました</source>
        <translation>Stopped here</translation>
    </message>
    <message>
        <source>例：点検の頻度を教えてください。</source>
        <translation>Example: How often are inspections due?</translation>
    </message>
    <message>
        <source>停止</source>
        <translation>Stop</translation>
    </message>
    <message>
        <source>元のモデル</source>
        <translation>Base model</translation>
    </message>
    <message>
        <source>元のモデルと、学習したアダプターを重ねたモデルに、同じ質問をします。資料は使いません。</source>
        <translation>Asks the base model, and the base with the trained adapter, the same question. Documents are not used.</translation>
    </message>
    <message>
        <source>回答を並べました。</source>
        <translation>Both answers are there.</translation>
    </message>
    <message>
        <source>回答中…</source>
        <translation>Answering…</translation>
    </message>
    <message>
        <source>学習後（強さ {s}）</source>
        <translation>Tuned (strength {s})</translation>
    </message>
    <message>
        <source>強さ</source>
        <translation>Strength</translation>
    </message>
    <message>
        <source>待っています…</source>
        <translation>Waiting…</translation>
    </message>
    <message>
        <source>比べる</source>
        <translation>Compare</translation>
    </message>
    <message>
        <source>自分の質問で比べる</source>
        <translation>Compare with your own question</translation>
    </message>
    <message>
        <source>質問</source>
        <translation>Question</translation>
    </message>
    <message>
        <source>途中で打ち切り</source>
        <translation>cut off</translation>
    </message>
    <message>
        <source>（空）</source>
        <translation>(nothing)</translation>
    </message>
</context>
<context>
    <name>UpdateFacts</name>
    <message>
        <source>SHA-256</source>
        <translation>SHA-256</translation>
    </message>
    <message>
        <source>× ファイルが空です（0 バイト）。使わずに、もう一度受け取ってください。</source>
        <translation>× The file is empty (0 bytes). Do not use it; get it again.</translation>
    </message>
    <message>
        <source>× 同じフォルダの一覧の値と違います。使わずに、もう一度受け取ってください。</source>
        <translation>× It differs from the list in the same folder. Do not use it; get it again.</translation>
    </message>
    <message>
        <source>× 配布元の値と違います。使わずに、もう一度受け取ってください。</source>
        <translation>× Not the publisher’s. Do not use it; get it again.</translation>
    </message>
    <message>
        <source>▲ 同じフォルダの一覧の値と同じで、壊れてはいません。配布元のファイルかどうかは、配布元から別に受け取った値を貼り付けて確かめてください。</source>
        <translation>▲ It matches the list in the same folder, so it is not damaged. To know that it is the publisher&apos;s, paste the value that you have from them by another way.</translation>
    </message>
    <message>
        <source>▲ 比べる値がありません。配布元が示した値を貼り付けてください。</source>
        <translation>▲ There is nothing to compare with. Paste the value that the publisher gives.</translation>
    </message>
    <message>
        <source>▲ 貼り付けた文字に、SHA-256 の全体（16 進数 64 文字）がありません。</source>
        <translation>▲ The pasted text holds no whole SHA-256 (64 hexadecimal digits).</translation>
    </message>
    <message>
        <source>✓ 配布元の値と同じです。ファイルは壊れていません。</source>
        <translation>✓ The same as the publisher’s. The file is whole.</translation>
    </message>
    <message>
        <source>一覧の値</source>
        <translation>In the list</translation>
    </message>
    <message>
        <source>今の版</source>
        <translation>This version</translation>
    </message>
    <message>
        <source>名前からは分かりません</source>
        <translation>The name does not tell</translation>
    </message>
    <message>
        <source>版</source>
        <translation>Version</translation>
    </message>
    <message>
        <source>追加するときに、壊れていないかを Kotae が調べます。</source>
        <translation>Kotae checks whether it is intact when you add it.</translation>
    </message>
    <message>
        <source>配布元が示した SHA-256</source>
        <translation>The SHA-256 that the publisher gives</translation>
    </message>
    <message>
        <source>配布元が示した SHA-256 を貼り付ける</source>
        <translation>Paste the SHA-256 that the publisher gives</translation>
    </message>
</context>
<context>
    <name>UpdateFile</name>
    <message>
        <source>.deb のときは、sudo apt install ./ファイル名 です。</source>
        <translation>For a .deb: sudo apt install ./FILE</translation>
    </message>
    <message>
        <source>Kotae の新しい版ではなく、GPU で計算するための部品です。</source>
        <translation>Not a new version of Kotae but a part for graphics cards.</translation>
    </message>
    <message>
        <source>Kotae の新しい版ではなく、モデルの持ち運びキットのファイルです。</source>
        <translation>Not a new version of Kotae but a file of a transfer kit.</translation>
    </message>
    <message>
        <source>Kotae の新しい版ではなく、学習環境キットのファイルです。</source>
        <translation>Not a new version of Kotae but a file of a training environment kit.</translation>
    </message>
    <message>
        <source>Kotae を閉じ、ディスクイメージを開いて、Kotae を「アプリケーション」へ入れ直してください。</source>
        <translation>Close Kotae, open the disk image and put Kotae into Applications again.</translation>
    </message>
    <message>
        <source>Kotae を閉じ、ファイルのあるフォルダで実行してください。
{command}</source>
        <translation>Close Kotae, and run this in the folder of the file.
{command}</translation>
    </message>
    <message>
        <source>Kotae を閉じ、新しい版のファイルを開いて、画面の案内に従ってください。</source>
        <translation>Close Kotae, open the file with the newer version and follow its instructions.</translation>
    </message>
    <message>
        <source>「モデル」の「持ち運びキット」の「キットを取り込む…」で、このファイルのあるフォルダを選んでください。1 つに圧縮されたファイルは、先に展開してください。</source>
        <translation>Open Models, Transfer kit, Import a kit…, and choose the folder of this file. Unpack it first if it is one archive.</translation>
    </message>
    <message>
        <source>「設定」の「モデルと保存先」の「GPU の部品」で「ファイルから追加…」を押し、このファイルを選んでください。</source>
        <translation>Open Settings, Models and storage, Part for graphics cards, press Add from a file…, and choose this file.</translation>
    </message>
    <message>
        <source>「設定」の「学習環境」の「オフラインで作る…」で、このファイルのあるフォルダを選んでください。</source>
        <translation>Open Settings, Training, Make it offline…, and choose the folder of this file.</translation>
    </message>
    <message>
        <source>この Kotae は GPU の部品に対応していないため、追加できません。</source>
        <translation>This Kotae takes no parts for graphics cards, so it cannot be added.</translation>
    </message>
    <message>
        <source>今と同じ版です。</source>
        <translation>It is the same version as this one.</translation>
    </message>
    <message>
        <source>今の版より古い版です。</source>
        <translation>Older than this version.</translation>
    </message>
    <message>
        <source>今の版より新しい版です。</source>
        <translation>It is newer than this version.</translation>
    </message>
    <message>
        <source>会話、設定、モデルは別の場所にあり、そのまま使えます。</source>
        <translation>Conversations, settings and models are kept elsewhere and stay as they are.</translation>
    </message>
    <message>
        <source>受け取ったファイルの確認</source>
        <translation>Check of the file you received</translation>
    </message>
    <message>
        <source>名前からは、Kotae のファイルかどうか分かりません。</source>
        <translation>Its name does not tell whether this is a file of Kotae.</translation>
    </message>
    <message>
        <source>閉じる</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>Using</name>
    <message>
        <source>{name} を一覧から外しました。</source>
        <translation>{name} was taken off the list.</translation>
    </message>
    <message>
        <source>「{name}」に切り替えました。</source>
        <translation>Switched to {name}.</translation>
    </message>
    <message>
        <source>質問に使うモデルを {name} に戻しました。</source>
        <translation>Questions are answered by {name} again.</translation>
    </message>
</context>
<context>
    <name>Verdict</name>
    <message>
        <source>▲ 使うと、元のモデルより悪い回答になるおそれがあります。</source>
        <translation>▲ Answers may be worse than those of the base model.</translation>
    </message>
    <message>
        <source>それでも質問で使う</source>
        <translation>Use for questions anyway</translation>
    </message>
    <message>
        <source>下の「自分の質問で比べる」で、回答を見比べてください。</source>
        <translation>Compare answers below, under Compare with your own question.</translation>
    </message>
    <message>
        <source>元のモデルのまま使うことを勧めます。</source>
        <translation>Keep the base model.</translation>
    </message>
    <message>
        <source>判定用のデータがないため、良くなったかを確かめられません。</source>
        <translation>No rows were kept back, so whether it is better cannot be checked.</translation>
    </message>
    <message>
        <source>報告書</source>
        <translation>Report</translation>
    </message>
    <message>
        <source>学習に使っていない {n} 件で、正解文の損失が {a} から {b} になりました（1 トークンあたり、小さいほど良い。{interval}）。</source>
        <translation>On {n} examples that were not trained on, the loss of the reference went from {a} to {b} (nats a token, smaller is better; {interval}).</translation>
    </message>
    <message>
        <source>学習に使っていない {n} 件での、正解文の損失（1 トークンあたり、小さいほど良い）の{interval}。</source>
        <translation>On {n} examples that were not trained on, the loss of the reference (nats a token, smaller is better): {interval}.</translation>
    </message>
    <message>
        <source>学習に使っていない質問で元のモデルと比べ、使う形を選びます。数分から数十分かかります。</source>
        <translation>It is compared with the base on questions that were not trained on, and the form to use is chosen. This takes some minutes, up to an hour.</translation>
    </message>
    <message>
        <source>学習は終わりましたが、良くなったかはまだ確かめていません。</source>
        <translation>Training has ended, but whether it is better has not been checked yet.</translation>
    </message>
    <message>
        <source>学習後のモデルは、元のモデルより良くなりました。</source>
        <translation>The tuned model is better than the base.</translation>
    </message>
    <message>
        <source>未評価</source>
        <translation>Not judged</translation>
    </message>
    <message>
        <source>評価する</source>
        <translation>Judge</translation>
    </message>
    <message>
        <source>質問で使う</source>
        <translation>Use for questions</translation>
    </message>
</context>
<context>
    <name>VotingPanel</name>
    <message>
        <source>1 つ前に戻す</source>
        <translation>Take back the last one</translation>
    </message>
    <message>
        <source>1 で A が良い、2 で B が良い、3 で同じくらい、4 でどちらも誤り、← でひとつ戻します</source>
        <translation>1: A is better, 2: B is better, 3: about equal, 4: both wrong, ← takes the last choice back</translation>
    </message>
    <message>
        <source>← または Ctrl+Z</source>
        <translation>← or Ctrl+Z</translation>
    </message>
    <message>
        <source>ここまでの結果を見る</source>
        <translation>See the result so far</translation>
    </message>
    <message>
        <source>どちらの構成かは、選び終えるまで表示しません。</source>
        <translation>Which is which stays hidden until you finish.</translation>
    </message>
    <message>
        <source>ブラインド比較</source>
        <translation>Blind comparison</translation>
    </message>
    <message>
        <source>構成を選び直す</source>
        <translation>Choose other settings</translation>
    </message>
    <message>
        <source>模範解答を見る</source>
        <translation>Show the reference answer</translation>
    </message>
    <message>
        <source>模範解答を隠す</source>
        <translation>Hide the reference answer</translation>
    </message>
    <message>
        <source>結果に戻る</source>
        <translation>Back to the result</translation>
    </message>
    <message>
        <source>結果を表示したあとに選んだ問いは、数だけを示し、判断には入れません。</source>
        <translation>What you choose after the result was shown is only counted, and does not decide.</translation>
    </message>
</context>
<context>
    <name>Watch</name>
    <message>
        <source>見張り</source>
        <translation>Watch</translation>
    </message>
</context>
<context>
    <name>Work</name>
    <message>
        <source>ほかのモデルの作業を続けています。</source>
        <translation>Other work on the models is going on.</translation>
    </message>
    <message>
        <source>終わってから、もう一度選んでください。</source>
        <translation>Choose again when it has finished.</translation>
    </message>
</context>
<context>
    <name>_PairView</name>
    <message>
        <source>お手本：{text}</source>
        <translation>Kept-back answer: {text}</translation>
    </message>
    <message>
        <source>学習前</source>
        <translation>Before</translation>
    </message>
    <message>
        <source>学習後</source>
        <translation>After</translation>
    </message>
    <message>
        <source>（空）</source>
        <translation>(nothing)</translation>
    </message>
</context>
</TS>
