; Kotae for Windows: an installer for one user, without administrator's rights. Inno Setup 6.3 or newer.
; NEVER RUN SO FAR: written without a Windows machine. build.ps1 calls it:
;   iscc /DVersion=0.1.0 /DIcon=build\kotae.ico [/DSign "/Skotae=signtool ... $f"] packaging\windows\kotae.iss
; The program goes to %LOCALAPPDATA%\Programs\Kotae. The user's data are in %LOCALAPPDATA%\Kotae, which nothing here touches:
; neither an upgrade nor the removal.

#ifndef Version
  #error Version is missing: iscc /DVersion=0.1.0
#endif
#ifndef Icon
  #error Icon is missing: iscc /DIcon=build\kotae.ico
#endif

[Setup]
; The same for every version: by it Windows knows that a new one replaces the old.
AppId={{4582BDF3-A974-4B24-8011-F55A0FB0A210}
AppName=Kotae
AppVersion={#Version}
AppVerName=Kotae {#Version}
AppPublisher=Kotae developers
AppCopyright=Apache-2.0
SourceDir=..\..
OutputDir=dist
OutputBaseFilename=kotae-{#Version}-windows-x86_64
SetupIconFile={#Icon}
UninstallDisplayIcon={app}\Kotae.exe
UninstallDisplayName=Kotae
PrivilegesRequired=lowest
DefaultDirName={autopf}\Kotae
DisableDirPage=auto
DisableProgramGroupPage=yes
DisableReadyPage=yes
UsePreviousAppDir=yes
; Windows 10 1903: the first with UTF-8 as a program's code page (kotae.manifest).
MinVersion=10.0.18362
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
Compression=lzma2/max
SolidCompression=yes
WizardStyle=modern
ShowLanguageDialog=auto
LanguageDetectionMethod=uilanguage
; While Kotae runs, its start holds this mutex: an upgrade and the removal ask to close it. What holds files even so is
; closed before they are replaced.
AppMutex=jp.kotae.Kotae
CloseApplications=yes
CloseApplicationsFilter=*.exe,*.dll,*.pyd
RestartApplications=no
#ifdef Sign
SignTool=kotae
SignedUninstaller=yes
#endif

[Languages]
; The first one is for systems in any other language.
Name: "en"; MessagesFile: "compiler:Default.isl"
Name: "ja"; MessagesFile: "compiler:Languages\Japanese.isl"

[CustomMessages]
ja.AppTitle=Kotae（答え）
en.AppTitle=Kotae
ja.DataKept=Kotae を取り除きました。会話、資料、モデルなどのデータは残っています：%n%n%1%n%nデータも消すときは、このフォルダを削除してください。
en.DataKept=Kotae is removed. Your data (conversations, documents, models) are still there:%n%n%1%n%nTo delete them too, delete this folder.

[Tasks]
Name: "desktopicon"; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked

[InstallDelete]
; Parts that the version before had and this one has not. Data are not there.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "dist\Kotae\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs
Source: "LICENSE"; DestDir: "{app}"; DestName: "LICENSE.txt"; Flags: ignoreversion

[Icons]
Name: "{autoprograms}\{cm:AppTitle}"; Filename: "{app}\Kotae.exe"; WorkingDir: "{userdocs}"
Name: "{autodesktop}\{cm:AppTitle}"; Filename: "{app}\Kotae.exe"; WorkingDir: "{userdocs}"; Tasks: desktopicon

[Run]
Filename: "{app}\Kotae.exe"; Description: "{cm:LaunchProgram,Kotae}"; Flags: nowait postinstall skipifsilent

[Code]
procedure CurUninstallStepChanged(Step: TUninstallStep);
var
  Data: String;
begin
  Data := ExpandConstant('{localappdata}\Kotae');
  if (Step = usPostUninstall) and DirExists(Data) then
    SuppressibleMsgBox(FmtMessage(CustomMessage('DataKept'), [Data]), mbInformation, MB_OK, IDOK);
end;
