using Microsoft.Playwright;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Browser;

/// <summary>One headless browser for all tests of a class, with an empty profile and nothing of its own to ask the network for.</summary>
public sealed class Chromium : IAsyncLifetime
{
    private static readonly string[] Arguments =
        ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

    private static readonly float Patience = (float)Eventually.Patience.TotalMilliseconds;

    private IPlaywright? playwright;
    private IBrowser? browser;

    /// <summary>A window as a stranger opens it: no token, nothing stored.</summary>
    internal async Task<Visit> VisitAsync(ApiHost api, int width = 1360, ColorScheme colors = ColorScheme.Light)
    {
        var context = await browser!.NewContextAsync(new()
        {
            BaseURL = api.Address.AbsoluteUri,
            ViewportSize = new() { Width = width, Height = 900 },
            ColorScheme = colors,
        });
        context.SetDefaultTimeout(Patience);
        Assertions.SetDefaultExpectTimeout(Patience);
        return new Visit(await context.NewPageAsync(), api.Address);
    }

    async Task IAsyncLifetime.InitializeAsync()
    {
        if (!File.Exists(BrowserFactAttribute.Chromium)) return; // the tests are skipped

        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = BrowserFactAttribute.Chromium, Args = Arguments });
    }

    async Task IAsyncLifetime.DisposeAsync()
    {
        if (browser is not null) await browser.DisposeAsync();
        playwright?.Dispose();
    }
}

/// <summary>One window, and what went wrong in it.</summary>
internal sealed class Visit : IAsyncDisposable
{
    private readonly List<string> complaints = [];
    private readonly List<string> requests = [];

    public Visit(IPage page, Uri address)
    {
        Page = page;
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning") Note(complaints, $"{message.Text} ({message.Location})");
        };
        page.PageError += (_, error) => Note(complaints, error);
        page.Dialog += (_, dialog) =>
        {
            Note(complaints, $"a dialog: {dialog.Message}");
            _ = dialog.DismissAsync();
        };
        page.Request += (_, request) =>
        {
            Note(requests, request.Url);
            if (!request.Url.StartsWith(address.AbsoluteUri, StringComparison.Ordinal) && !request.Url.StartsWith("data:", StringComparison.Ordinal))
                Note(complaints, $"asked elsewhere: {request.Url}");
        };
    }

    public IPage Page { get; }

    /// <summary>Errors and warnings of the console, exceptions, dialogs, and requests to other hosts.</summary>
    public IReadOnlyList<string> Complaints => Copy(complaints);

    /// <summary>The addresses of all requests.</summary>
    public IReadOnlyList<string> Requests => Copy(requests);

    public async Task SignInAsync(string token = ApiHost.ReadToken)
    {
        await Page.GotoAsync("/");
        await Page.GetByLabel("Token").FillAsync(token);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Open the dashboard" }).ClickAsync();
        await HeadingAsync("Overview");
    }

    public Task GoToAsync(string hash) => Page.GotoAsync($"/{hash}");

    public Task HeadingAsync(string text) => Assertions.Expect(Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync(text);

    public ValueTask DisposeAsync() => Page.Context.DisposeAsync();

    private static void Note(List<string> list, string text)
    {
        lock (list) list.Add(text);
    }

    private static List<string> Copy(List<string> list)
    {
        lock (list) return [.. list];
    }
}
